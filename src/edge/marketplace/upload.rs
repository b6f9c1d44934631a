//! A picture on its way to the marketplace.

use reqwest::multipart::{Form, Part};

use crate::domain::images::ImageName;
use crate::domain::item::{ItemImage, ItemKey};

use super::error::CallError;

/// A picture on its way.
pub(super) struct Upload {
    pub(super) key: ItemKey,
    pub(super) image: ItemImage,
    pub(super) name: ImageName,
    pub(super) bytes: bytes::Bytes,
}

impl Upload {
    /// The parts in the order of the vendor's client (`marketplace-api.md`
    /// §5); which of them the server needs is not known, so all are sent.
    pub(super) fn form(&self, tenant: &str) -> Result<Form, CallError> {
        // A line break in a file name would begin a header of its own.
        let path = self.image.path.as_str();
        let filename: String = path.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
        let unusable = |_| CallError::lost("the type of an image cannot be written".to_owned());
        let length = self.bytes.len() as u64;
        let file = Part::stream_with_length(self.bytes.clone(), length)
            .file_name(filename)
            .mime_str(self.image.format.mime())
            .map_err(unusable)?;
        let mut form = Form::new()
            .part("marketplace_image", file)
            .text("itemId", self.key.item_id.to_string())
            .text("assetType", self.image.slot.asset_type())
            .text("tenantId", tenant.to_owned());
        if self.key.version.is_named() {
            form = form.text("version", self.key.version.to_string());
        }
        Ok(form)
    }
}
