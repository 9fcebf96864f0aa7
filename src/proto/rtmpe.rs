//! stub
#[derive(Debug)]
pub struct Cipher;
impl Cipher {
    pub fn apply(&mut self, _b: &mut [u8]) {}
}
#[derive(Debug)]
pub struct Ciphers {
    pub outgoing: Cipher,
    pub incoming: Cipher,
}
