//! stub
/// Cipher of one direction.
#[derive(Debug)]
pub struct Cipher;
impl Cipher {
    /// Nothing yet.
    pub fn apply(&mut self, _b: &mut [u8]) {}
}
/// Both directions.
#[derive(Debug)]
pub struct Ciphers {
    /// For sending.
    pub outgoing: Cipher,
    /// For receiving.
    pub incoming: Cipher,
}
