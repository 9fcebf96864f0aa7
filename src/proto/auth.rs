//! stub
pub fn secure_token_response(_c: &str, _k: &str) -> Option<String> {
    None
}
