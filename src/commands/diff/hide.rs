//! Keeps what this program proves itself with out of a report: somebody may
//! have written it into an item. Documents are compared as they are, and hidden
//! afterwards: else each word that happens to be the secret would be a
//! difference.

use crate::domain::diff::{Edit, Field, Fields};
use crate::edge::secrets::Secrets;

/// These fields without the secrets.
pub(super) fn without(fields: Fields, secrets: &Secrets) -> Fields {
    match fields {
        Fields::Listed { left, fields, more } => {
            let fields = fields.into_iter().map(|field| in_field(field, secrets)).collect();
            Fields::Listed { left, fields, more }
        }
        Fields::Unknown { why } => Fields::Unknown { why: secrets.mask(&why) },
        Fields::None => Fields::None,
    }
}

fn in_field(field: Field, secrets: &Secrets) -> Field {
    let (name, pointer) = (secrets.mask(&field.name), secrets.mask(&field.pointer));
    Field { name, pointer, edit: in_edit(field.edit, secrets), ..field }
}

fn in_edit(edit: Edit, secrets: &Secrets) -> Edit {
    let texts = |list: Vec<String>| list.iter().map(|text| secrets.mask(text)).collect();
    match edit {
        Edit::Added { to } => Edit::Added { to: secrets.mask_in(to) },
        Edit::Removed { from } => Edit::Removed { from: secrets.mask_in(from) },
        Edit::Masked { value } => Edit::Masked { value: secrets.mask_in(value) },
        Edit::Replaced { from, to } => match (secrets.mask_in(from), secrets.mask_in(to)) {
            (from, to) if from == to => Edit::Masked { value: to },
            (from, to) => Edit::Replaced { from, to },
        },
        Edit::Text { from, to, mut hunks } => {
            for line in hunks.iter_mut().flat_map(|hunk| &mut hunk.lines) {
                line.text = secrets.mask(&line.text);
            }
            Edit::Text { from: secrets.mask(&from), to: secrets.mask(&to), hunks }
        }
        Edit::Reordered { from, to } => Edit::Reordered { from: texts(from), to: texts(to) },
        Edit::Picture { from, to } => Edit::Picture { from, to },
    }
}
