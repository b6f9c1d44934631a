//! The renderings of a comparison. Every byte of them is in `snapshots`;
//! `SNAPSHOTS=overwrite cargo test reports` writes them anew.

use snapbox::Data;

mod html;
pub(crate) mod json;
mod markdown;
mod source;
mod text;

/// Compares a rendering with its file, or writes the file.
fn keep(name: &str, actual: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/reports/snapshots");
    let path = std::path::Path::new(folder).join(name);
    let wanted = Data::read_from(&path, Some(snapbox::data::DataFormat::Text)).raw();
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(Data::text(actual).raw(), wanted);
}
