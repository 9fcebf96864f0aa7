//! stub
use super::ProtocolError;
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
}
impl Value {
    pub fn as_number(&self) -> Option<f64> {
        None
    }
    pub fn as_str(&self) -> Option<&str> {
        None
    }
}
pub fn decode(_i: &[u8]) -> Result<(Value, usize), ProtocolError> {
    Ok((Value::Null, 1))
}
pub fn encode(_v: &Value, o: &mut Vec<u8>) {
    o.push(1)
}
