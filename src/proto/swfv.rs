//! stub
pub fn response(_h: &[u8; 32], _s: u32, _k: &[u8; 32]) -> [u8; 42] {
    [0; 42]
}
