//! Takes secrets out of results, before any format shows them.

use crate::cli::redact::Secrets;
use crate::probe::ProbeResult;
use crate::proto::amf0::{Object, Value};

/// Hides secrets wherever a server or an error may have repeated them.
pub fn hide_secrets(result: &mut ProbeResult, secrets: &Secrets) {
    let hide = |text: &mut String| *text = secrets.hide(text).into_owned();
    hide(&mut result.url);
    result.error.iter_mut().for_each(hide);
    result.redirects.iter_mut().for_each(hide);
    result.findings.iter_mut().for_each(|found| hide(&mut found.text));
    for status in &mut result.statuses {
        hide(&mut status.level);
        hide(&mut status.description);
        status.code = secrets.hide(status.code.as_str()).as_ref().into();
    }
    for object in [&mut result.metadata, &mut result.color_info].into_iter().flatten() {
        hide_in_object(object, secrets);
    }
    for value in result.connected.iter_mut().flat_map(|command| &mut command.arguments) {
        hide_in_value(value, secrets);
    }
}

fn hide_in_object(object: &mut Object, secrets: &Secrets) {
    for (name, value) in &mut object.properties {
        *name = secrets.hide(name).into_owned();
        hide_in_value(value, secrets);
    }
}

/// Values are nested no deeper than the AMF reader allows.
fn hide_in_value(value: &mut Value, secrets: &Secrets) {
    match value {
        Value::String(text) | Value::XmlDocument(text) => *text = secrets.hide(text).into_owned(),
        Value::Object(object) | Value::EcmaArray(object) | Value::TypedObject { object, .. } => {
            hide_in_object(object, secrets);
        }
        Value::StrictArray(values) => values.iter_mut().for_each(|value| hide_in_value(value, secrets)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::render::render;
    use super::super::render_page;
    use super::super::tests::{args, judge, seen};
    use super::*;
    use crate::proto::command::NetStatus;

    #[test]
    fn no_format_shows_a_secret_that_the_server_repeats() {
        const TOKEN: &str = "s3cr3t-t0ken";
        let url = format!("rtmp://host/live/a?token={TOKEN}");
        let mut secrets = Secrets::default();
        secrets.add_url(&url);
        let echo = || format!("no {url}");
        let mut result = ProbeResult {
            error: Some(echo()),
            redirects: vec![url.clone()],
            statuses: vec![NetStatus { code: echo().as_str().into(), description: echo(), ..NetStatus::default() }],
            metadata: Some(Object::default().with("list", Value::StrictArray(vec![Value::String(echo())]))),
            url: url.clone(),
            ..seen()
        };
        hide_secrets(&mut result, &secrets);
        let results = [result];
        for format in ["text", "json", "nagios", "prometheus"] {
            let args = args(&["u", "--format", format]);
            let shown = render(args.format, &results, &[judge(&results[0], &args)], &args.limits());
            assert!(!shown.contains(TOKEN) && shown.contains("***"), "{format}: {shown}");
        }
        let page = render_page(&results, &[judge(&results[0], &args(&["u"]))], jiff::Timestamp::UNIX_EPOCH);
        assert!(!page.contains(TOKEN) && page.contains("<title>rtmp://host/live/a?token=***</title>"), "{page}");
    }
}
