//! Images (`marketplace-api.md` §5). Which parts the real server requires is
//! unknown (§13.14); this one wants all that `miactl` always sends.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use serde_json::json;
use uuid::Uuid;

use crate::domain::item::{ImageFormat, ImageSlot, NA};
use crate::embedded::answer::Answer;
use crate::embedded::apply::new_id;
use crate::embedded::handle::World;
use crate::embedded::journal::file_record;
use crate::embedded::state::{FILES, StoredFile};

/// The largest upload, with its other parts: four times the images that
/// marketsync sends. The real limit is unknown (§13.14).
pub(crate) const UPLOAD_LIMIT: usize = 8 * 1024 * 1024;

/// The most parts that are looked at; `miactl` sends five.
const MAX_PARTS: usize = 64;

/// The part that holds the image (§5).
const IMAGE_PART: &str = "marketplace_image";

/// What an upload carried.
#[derive(Debug)]
pub(crate) struct Upload {
    file_name: String,
    mime: String,
    bytes: Bytes,
    fields: BTreeMap<String, String>,
}

impl Upload {
    /// Reads the parts; unknown ones are passed over.
    pub(crate) async fn read(parts: &Parts, body: Bytes) -> Result<Self, Answer> {
        let bad = |message: String| Answer::error(400, message);
        let request = Request::from_parts(parts.clone(), Body::from(body));
        let mut form = Multipart::from_request(request, &())
            .await
            .map_err(|error| Answer::error(error.status().as_u16(), error.body_text()))?;
        let mut image = None;
        let mut fields = BTreeMap::new();
        for _ in 0..MAX_PARTS {
            let next = form.next_field().await.map_err(|error| bad(error.body_text()))?;
            let Some(part) = next else { break };
            let name = part.name().unwrap_or_default().to_owned();
            let file_name = part.file_name().map(str::to_owned);
            let mime = part.content_type().unwrap_or_default().to_owned();
            let bytes = part.bytes().await.map_err(|error| bad(error.body_text()))?;
            if name == IMAGE_PART {
                image = Some((file_name, mime, bytes));
            } else if let Ok(text) = String::from_utf8(bytes.to_vec()) {
                fields.insert(name, text);
            }
        }
        let Some((Some(file_name), mime, bytes)) = image else {
            return Err(bad(format!("the form must have a file part named {IMAGE_PART}")));
        };
        for name in ["itemId", "assetType", "tenantId"] {
            if fields.get(name).is_none_or(String::is_empty) {
                return Err(bad(format!("the form must have a part named {name}")));
            }
        }
        Ok(Self { file_name, mime, bytes, fields })
    }

    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// `<itemId> <version or NA>`.
    pub(crate) fn item(&self) -> String {
        let version = self.fields.get("version").map_or(NA, String::as_str);
        format!("{} {version}", self.field("itemId"))
    }

    /// For the log.
    pub(crate) fn summary(&self) -> String {
        format!("{} {} {} {}", self.field("assetType"), self.file_name, self.bytes.len(), self.mime)
    }

    /// Keeps the image under a new name: every upload makes a new location.
    pub(crate) fn store(self, world: &mut World) -> Answer {
        let asset_type = self.field("assetType");
        if !ImageSlot::ALL.iter().any(|slot| slot.asset_type() == asset_type) {
            return Answer::error(400, format!("assetType '{asset_type}' is unknown"));
        }
        let format = ImageFormat::sniff(&self.bytes);
        let Some(format) = format.filter(|format| format.mime() == self.mime) else {
            let message = format!(
                "the file is no PNG or JPEG, or its part is not of that type ('{}')",
                self.mime
            );
            return Answer::error(400, message);
        };
        if !world.state.has_room_for(self.bytes.len()) {
            return Answer::error(507, "the embedded marketplace holds no more images");
        }
        let extension = match format {
            ImageFormat::Png => "png",
            ImageFormat::Jpeg => "jpg",
        };
        let name = format!("{}.{extension}", Uuid::new_v4());
        let file = StoredFile { mime: self.mime, bytes: self.bytes };
        let body = json!({
            "_id": new_id(),
            "name": self.file_name,
            "file": name,
            "size": file.bytes.len(),
            "location": format!("{FILES}{name}"),
        });
        let record = file_record(&name, &file);
        world.state.put_file(name, file);
        match world.keep(&[record]) {
            Ok(()) => Answer::ok(body),
            Err(error) => Answer::error(500, error.to_string()),
        }
    }
}
