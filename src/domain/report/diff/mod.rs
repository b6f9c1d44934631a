//! stub
pub mod text {
    pub fn diff(diff: &crate::domain::diff::Diff) -> String {
        format!("{diff:#?}\n")
    }
}
pub mod markdown {
    pub fn diff(diff: &crate::domain::diff::Diff) -> String {
        format!("{diff:#?}\n")
    }
}
pub mod html {
    pub fn diff(diff: &crate::domain::diff::Diff) -> String {
        format!("{diff:#?}\n")
    }
}
pub mod json {
    pub fn diff(diff: &crate::domain::diff::Diff) -> serde_json::Value {
        serde_json::json!(format!("{diff:#?}\n"))
    }
}
