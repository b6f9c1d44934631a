//! The list of items (`marketplace-api.md` §4.2): its query, filters, order
//! and pages.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use url::form_urlencoded;

use crate::domain::item::{ItemId, ItemType, Lifecycle, Version};
use crate::embedded::settings::ListRows;
use crate::embedded::state::{Key, State, Stored};
use crate::embedded::validate::Model;
use crate::embedded::views;

/// The most rows of a page (§4.2).
const MAX_PER_PAGE: usize = 200;

/// Rows of a page if the query does not say (§4.2).
const PER_PAGE: usize = 50;

/// What a list asks for.
#[derive(Debug, Default)]
pub(crate) struct Query {
    page: usize,
    per_page: usize,
    tenant: Option<String>,
    include_tenant: Option<String>,
    available_to: Vec<String>,
    types: Vec<ItemType>,
    categories: Vec<String>,
    statuses: Vec<Lifecycle>,
    name: Option<Pattern>,
    urns: Vec<Urn>,
    resolve: bool,
    sort: Option<(SortField, bool)>,
}

#[derive(Debug, Clone, Copy)]
enum SortField {
    Name,
    Category,
    Type,
}

#[derive(Debug)]
struct Urn {
    tenant: String,
    item_id: ItemId,
    version: Option<Version>,
}

/// A page of the list.
pub(crate) struct Page {
    pub(crate) rows: Vec<Value>,
    pub(crate) total_items: usize,
    pub(crate) total_pages: usize,
}

impl Query {
    /// Reads the query. The legacy list has no pages (§4.2) and gives all rows
    /// unless `perPage` says otherwise.
    pub(crate) fn parse(text: &str, model: Model) -> Result<Self, String> {
        let legacy = model == Model::Legacy;
        let mut query = Self {
            page: 1,
            per_page: if legacy { usize::MAX } else { PER_PAGE },
            ..Self::default()
        };
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            match key.as_ref() {
                "page" if !legacy => query.page = number(&key, &value, 1, usize::MAX)?,
                "perPage" | "per_page" => query.per_page = number(&key, &value, 1, MAX_PER_PAGE)?,
                "tenantId" => query.tenant = Some(value.into_owned()),
                "includeTenantId" => query.include_tenant = Some(value.into_owned()),
                "availableTo" | "available_to" => query.available_to = available_to(&value)?,
                "types" => query.types = value.split(',').map(type_name).collect(),
                "category" => query.categories = value.split(',').map(str::to_owned).collect(),
                "lifecycleStatus" if !legacy => query.statuses = statuses(&value)?,
                "name" => query.name = Some(Pattern::new(&value)?),
                "itemUrns" => query
                    .urns
                    .push(urn(&value).ok_or_else(|| format!("itemUrns: '{value}' is no URN"))?),
                "resolveResourcesData" => query.resolve = boolean(&key, &value)?,
                "sort" => query.sort = Some(sort(&value)?),
                // Unknown parameters are ignored, as the 13.x list must ignore `page`.
                _ => {}
            }
        }
        if query.include_tenant.is_some() && !query.available_to.is_empty() {
            return Err("includeTenantId and availableTo exclude each other".to_owned());
        }
        Ok(query)
    }

    /// The page. Without a token only public items are visible (§2.3).
    pub(crate) fn run(&self, state: &State, rows: ListRows, model: Model, signed_in: bool) -> Page {
        let mut found: Vec<(&Key, &Stored, bool)> = Vec::new();
        let mut latest: Option<&Key> = None;
        for (key, stored) in state.iter() {
            // Versions of one item stand together, so its latest is looked up once.
            if latest.is_none_or(|l| l.tenant != key.tenant || l.item.item_id != key.item.item_id) {
                latest = state.latest(&key.tenant, &key.item.item_id);
            }
            let is_latest = latest == Some(key);
            let named = self.urns.iter().any(|urn| urn.names(key) && urn.version.is_some());
            let shown = is_latest || named || rows == ListRows::Version;
            if shown && (signed_in || stored.visible_to("public")) && self.wants(key, stored) {
                found.push((key, stored, is_latest));
            }
        }
        self.order(&mut found);
        let total_items = found.len();
        let total_pages = total_items.div_ceil(self.per_page);
        let rows = found
            .into_iter()
            .skip((self.page - 1).saturating_mul(self.per_page))
            .take(self.per_page)
            .map(|(key, stored, latest)| views::row(key, stored, latest, model, self.resolve))
            .collect();
        Page { rows, total_items, total_pages }
    }

    fn wants(&self, key: &Key, stored: &Stored) -> bool {
        let in_category = || self.categories.iter().any(|id| id == stored.text("categoryId"));
        let available = |whom: &String| match whom.as_str() {
            "public" => stored.visible_to("public"),
            "all-tenants" => stored.visible_to("allTenants"),
            _ => !stored.visible_to("public") && !stored.visible_to("allTenants"),
        };
        self.tenant.as_ref().is_none_or(|tenant| *tenant == key.tenant)
            && self
                .include_tenant
                .as_ref()
                .is_none_or(|tenant| *tenant == key.tenant || stored.visible_to("public"))
            && (self.available_to.is_empty() || self.available_to.iter().any(available))
            && (self.types.is_empty() || self.types.contains(&views::stored_type(stored)))
            && (self.categories.is_empty() || in_category())
            && (self.statuses.is_empty() || self.statuses.contains(&stored.lifecycle()))
            && self.name.as_ref().is_none_or(|pattern| pattern.matches(stored.text("name")))
            && (self.urns.is_empty() || self.urns.iter().any(|urn| urn.names(key)))
    }

    /// Company, item and version, unless `sort` says otherwise (the real
    /// default is unknown, §13.8).
    fn order(&self, found: &mut [(&Key, &Stored, bool)]) {
        let Some((field, descending)) = self.sort else {
            return;
        };
        found.sort_by(|(_, a, _), (_, b, _)| {
            let order = match field {
                SortField::Name => a.text("name").cmp(b.text("name")),
                SortField::Category => a.text("categoryId").cmp(b.text("categoryId")),
                SortField::Type => views::stored_type(a).cmp(&views::stored_type(b)),
            };
            if descending { order.reverse() } else { order }
        });
    }
}

impl Urn {
    fn names(&self, key: &Key) -> bool {
        self.tenant == key.tenant
            && self.item_id == key.item.item_id
            && self.version.as_ref().is_none_or(|version| *version == key.item.version)
    }
}

/// `name` is a regular expression of ECMAScript; the schema library has an
/// engine for those, with a limit on backtracking.
#[derive(Debug)]
struct Pattern(jsonschema::Validator);

impl Pattern {
    fn new(pattern: &str) -> Result<Self, String> {
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft7)
            .build(&json!({ "type": "string", "pattern": pattern }))
            .map(Self)
            .map_err(|_| format!("name: '{pattern}' is no regular expression"))
    }

    fn matches(&self, name: &str) -> bool {
        self.0.is_valid(&Value::String(name.to_owned()))
    }
}

fn number(key: &str, text: &str, least: usize, most: usize) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("querystring/{key} must be an integer from {least} to {most}"))
}

fn boolean(key: &str, text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("querystring/{key} must be boolean"))
}

fn available_to(text: &str) -> Result<Vec<String>, String> {
    let words: BTreeSet<&str> = text.split(',').collect();
    match words.iter().find(|word| !["public", "all-tenants", "private"].contains(word)) {
        Some(word) => Err(format!("availableTo: '{word}' is none of public, all-tenants, private")),
        None => Ok(words.into_iter().map(str::to_owned).collect()),
    }
}

fn statuses(text: &str) -> Result<Vec<Lifecycle>, String> {
    text.split(',')
        .map(|word| word.parse().map_err(|error| format!("lifecycleStatus: {error}")))
        .collect()
}

/// `urn:<ns>:mktp:itd:<name>`, or a bare name in the platform's namespace.
fn type_name(text: &str) -> ItemType {
    let urn = text.strip_prefix("urn:").and_then(|rest| rest.split_once(":mktp:itd:"));
    match urn {
        Some((namespace, name)) => {
            ItemType { namespace: namespace.to_owned(), name: name.to_owned() }
        }
        None => ItemType::platform(text),
    }
}

/// `urn:<tenantId>:mktp:<itemId>[?=version=<version>]` (§7.3).
fn urn(text: &str) -> Option<Urn> {
    let (tenant, rest) = text.strip_prefix("urn:")?.split_once(":mktp:")?;
    let (item, version) = match rest.split_once("?=version=") {
        Some((item, version)) => (item, Some(version.parse().ok()?)),
        None => (rest, None),
    };
    Some(Urn { tenant: tenant.to_owned(), item_id: item.parse().ok()?, version })
}

fn sort(text: &str) -> Result<(SortField, bool), String> {
    let (field, descending) = text.strip_prefix('-').map_or((text, false), |field| (field, true));
    let field = match field {
        "name" => SortField::Name,
        "category" => SortField::Category,
        "type" => SortField::Type,
        _ => {
            return Err(format!("sort: '{text}' is none of name, -name, category, -category"));
        }
    };
    Ok((field, descending))
}
