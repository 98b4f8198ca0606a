//! A page that shows what the management API serves, for people: every resource with its methods and fields.

use std::fmt::Write as _;

use crate::resources::{ALL, Access, Area, Field, Initial, KEPT, Resource, Support, Verb};

/// The page, for a release.
pub(super) fn html(release: &str) -> String {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Management API</title><style>{STYLE}</style>\
         <main><h1>Management API</h1><p>Pitlane {release}. The same for programs: \
         <a href=\"/api/admin/openapi.json\">/api/admin/openapi.json</a> (OpenAPI 3.1).</p>"
    );
    for area in Area::ALL {
        let _ = write!(page, "<h2>{}</h2>", area.path());
        for of in ALL.iter().filter(|of| of.area == area) {
            resource(&mut page, of);
        }
    }
    page.push_str("</main></html>");
    page
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;color:#1d2733;margin:0}main{max-width:70em;margin:auto;\
    padding:1em}h2{margin-top:2em}details{border-top:1px solid #d5dbe1;padding:.4em 0}summary{cursor:pointer}\
    table{border-collapse:collapse;margin:.5em 0}td{padding:.2em 1em .2em 0;vertical-align:top}code{font-size:13px}\
    .m{color:#5b6875}";

fn resource(page: &mut String, of: &Resource) {
    let verbs = |verbs: &[Verb]| verbs.iter().map(|verb| verb.text()).collect::<Vec<_>>().join(", ");
    let _ = write!(
        page,
        "<details id=\"{0}\"><summary><code>{0}</code> {1}</summary><p class=m>List: {2}. Object: {3}. \
         <a href=\"{4}schema/\">schema</a></p><table>",
        of.name,
        escaped(of.help),
        verbs(of.list),
        if of.detail.is_empty() { "none".into() } else { verbs(of.detail) },
        of.path(),
    );
    of.fields.iter().for_each(|field| row(page, field));
    page.push_str("</table></details>");
}

fn row(page: &mut String, field: &Field) {
    let note = match (field.access, field.initial) {
        (Access::ReadOnly, _) => "read only",
        (Access::Secret, _) => "never shown",
        (Access::Written, Initial::Required) => "required",
        (Access::Written, _) => "",
    };
    let kept = match field.support {
        Support::Acts => "",
        Support::Kept => KEPT,
        Support::Refused(sentence) => sentence,
    };
    let help = escaped(field.help);
    let _ = write!(
        page,
        "<tr><td><code>{}</code><td class=m>{note}<td>{help} {}</tr>",
        field.name,
        escaped(kept)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
