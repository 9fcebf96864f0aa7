//! `rtmpcat call`: NetConnection.call (§7.2.1.2) from the shell.
//!
//! Every value of the reply is a line of JSON on standard output (forms: see [`super::json`]); what else the server says
//! goes to standard error.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use serde_json::Value as Json;

use crate::cli::args::CallArgs;
use crate::cli::exit::{Code, code_of};
use crate::cli::json::{from_amf0, from_amf3, one_line, to_amf0, to_amf3};
use crate::cli::log::Log;
use crate::cli::output::{ConnectLog, login_hint, taps};
use crate::cli::resolve::{self, Dialect, Request, Resolved};
use crate::connect::{Client, ConnectEvent, Connector, Failure, Refusal};
use crate::proto::amf0::Value;
use crate::proto::command::{Command, NetStatus};
use crate::proto::session::{Event, SessionEvent, StatusKind};
use crate::proto::status::CommandKind;
use crate::transport::Interrupt;
use crate::url::conn;
use crate::util::time::POLL_INTERVAL;

/// Calls, and prints what comes back.
pub fn run(args: &CallArgs, interrupt: &Interrupt) -> Code {
    let log = Log::new(args.verbosity.level());
    let done = prepare(args).map_err(|error| (Code::Failed, format!("{error:#}"))).and_then(|(resolved, arguments)| {
        resolved.hide_secrets(&mut log.secrets());
        resolved.warnings.iter().for_each(|warning| log.warning(warning));
        Call { arguments, args, log: &log }.run(resolved, interrupt)
    });
    match done {
        Ok(()) => Code::Complete,
        Err((code, words)) => {
            log.error(&words);
            code
        }
    }
}

fn prepare(args: &CallArgs) -> Result<(Resolved, Vec<Value>)> {
    let arguments = arguments(&args.arguments, args.amf3)?;
    let request = Request {
        url: Some(&args.url),
        keyed_url: None,
        connect: &args.connect,
        flash: &args.flash,
        stream: None,
        stop: None,
    };
    let mut resolved = resolve::connection(request, Dialect::Own)?;
    resolved.tracing = resolve::tracing(&args.trace)?;
    resolved.options.connect.session.connect.object_encoding = Some(if args.amf3 { 3.0 } else { 0.0 });
    Ok((resolved, arguments))
}

/// Arguments in JSON, or in rtmpdump's notation, in which several can make up one object.
fn arguments<S: AsRef<str>>(words: &[S], amf3: bool) -> Result<Vec<Value>> {
    let mut values = Vec::new();
    for group in words.chunk_by(|a, b| is_notation(a.as_ref()) && is_notation(b.as_ref())) {
        if group.iter().all(|word| is_notation(word.as_ref())) {
            values.extend(conn::parse(group).map_err(|item| anyhow!("Invalid AMF parameter: {item}"))?);
            continue;
        }
        for word in group.iter().map(AsRef::as_ref) {
            let json: Json = serde_json::from_str(word)
                .map_err(|error| anyhow!("{word}: invalid JSON ({error}); prefix strings with S:"))?;
            let value = if amf3 { to_amf3(&json).map(Value::Amf3) } else { to_amf0(&json) };
            values.push(value.map_err(|reason| anyhow!("{word}: {reason}"))?);
        }
    }
    if amf3 {
        for value in &mut values {
            if !matches!(value, Value::Amf3(_)) {
                *value = Value::Amf3(to_amf3(&from_amf0(value)).map_err(anyhow::Error::msg)?);
            }
        }
    }
    Ok(values)
}

/// Whether a word begins like `S:` or `NS:`. No JSON does.
fn is_notation(word: &str) -> bool {
    let Some((head, _)) = word.split_once(':') else { return false };
    let kind = head.strip_prefix('N').filter(|rest| !rest.is_empty()).unwrap_or(head);
    matches!(kind, "B" | "N" | "S" | "O" | "Z")
}

struct Call<'a> {
    arguments: Vec<Value>,
    args: &'a CallArgs,
    log: &'a Log,
}

impl Call<'_> {
    /// Connects, calls, and prints the reply.
    fn run(&self, resolved: Resolved, interrupt: &Interrupt) -> Result<(), (Code, String)> {
        let Resolved { url, options, tracing, .. } = resolved;
        let mut options = options.connect;
        options.taps = taps(tracing, self.log);
        let patience = options.timeouts.answer;
        let mut log = ConnectLog::new(&options, self.log);
        let mut tell = |event: ConnectEvent<'_>| match event {
            ConnectEvent::Session(event) => self.say(event),
            event => log.event(event),
        };
        let mut connector = Connector::new(&url, &options).map_err(|error| (Code::Failed, error.to_string()))?;
        connector.prove_swf(&mut tell, interrupt).map_err(|error| failed(&error.into()))?;
        let mut client = connector.connect(&mut tell, interrupt).map_err(|failure| self.not_connected(&failure))?;
        if let Some(Event::Session(SessionEvent::Connected(command))) = client.event() {
            self.say_connected(command);
        }
        client.session().call(&self.args.method, self.arguments.clone());
        let outcome = self.wait_for_reply(&mut client, patience);
        client.close();
        outcome
    }

    fn not_connected(&self, failure: &Failure) -> (Code, String) {
        let Failure::Refused(refusal) = failure else { return failed(failure) };
        let words = match refusal.as_ref() {
            Refusal { reason: Some(reason), .. } => login_hint(reason),
            Refusal { command: Some(command), answer: Some(answer), status, .. } => {
                self.refusal(*command, status, answer)
            }
            refusal => refusal.to_string(),
        };
        (Code::Failed, words)
    }

    fn wait_for_reply(&self, client: &mut Client, patience: Option<Duration>) -> Result<(), (Code, String)> {
        let asked = Instant::now();
        loop {
            while client.poll().map_err(|error| failed(&error.into()))? {
                let Some(Event::Session(event)) = client.event() else { continue };
                match event {
                    SessionEvent::Answer(command) => {
                        let fault = client.session_ref().link().message().and_then(|message| Command::fault(&message));
                        self.print(command)?;
                        return fault.map_or(Ok(()), |fault| {
                            Err((Code::Failed, format!("the rest of the reply cannot be read: {fault}")))
                        });
                    }
                    SessionEvent::Failed { command, status, answer } => {
                        return Err((Code::Failed, self.refusal(*command, status, answer)));
                    }
                    SessionEvent::CloseRequested => {
                        return Err((Code::Failed, "the server asked to close the connection".to_owned()));
                    }
                    event => self.say(event),
                }
            }
            let tick = Instant::now() + POLL_INTERVAL;
            let until = patience.map_or(tick, |patience| tick.min(asked + patience));
            client.wait(until).map_err(|error| failed(&error.into()))?;
            if let Some(patience) = patience.filter(|patience| asked.elapsed() >= *patience) {
                let seconds = patience.as_secs_f64();
                return Err((Code::Failed, format!("{} was not answered within {seconds} s", self.args.method)));
            }
        }
    }

    fn print(&self, reply: &Command) -> Result<(), (Code, String)> {
        let mut out = String::new();
        if self.args.full {
            let mut values = reply.arguments.iter().map(|value| self.json(value));
            let whole = serde_json::json!({
                "name": reply.name,
                "transaction": from_amf0(&Value::Number(reply.transaction_id)),
                "commandObject": values.next(),
                "arguments": values.collect::<Vec<_>>(),
            });
            out = format!("{}\n", one_line(&whole));
        } else {
            for value in reply.arguments.iter().skip(1) {
                out.push_str(&format!("{}\n", one_line(&self.json(value))));
            }
        }
        let mut stdout = std::io::stdout();
        let written = stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush());
        written.map_err(|error| (Code::Failed, format!("the output failed: {error}")))
    }

    /// With `--amf3` values in AMF 3 are the rule and not marked.
    fn json(&self, value: &Value) -> Json {
        match value {
            Value::Amf3(value) if self.args.amf3 => from_amf3(value),
            value => from_amf0(value),
        }
    }

    fn say_connected(&self, result: &Command) {
        let server = result.arguments.iter().filter_map(Value::as_object).find_map(|object| object.get("fmsVer"));
        let server = server.and_then(Value::as_str).unwrap_or("unidentified server");
        self.log.debug(&format!("Connected to {server}"));
        let granted = result.information().and_then(|information| information.get("objectEncoding"));
        if self.args.amf3 && granted.and_then(Value::as_number).is_some_and(|encoding| encoding != 3.0) {
            self.log.warning("The server does not agree to AMF 3 (objectEncoding)");
        }
    }

    fn say(&self, note: &SessionEvent) {
        match note {
            SessionEvent::Status(StatusKind::Refused, status) => self.log.warning(&of_status(status)),
            SessionEvent::Status(_, status) => self.log.info(&of_status(status)),
            SessionEvent::Command(command) if command.kind() != CommandKind::OnStatus => {
                let values: Vec<_> = command.arguments.iter().map(Value::describe).collect();
                self.log.debug(&format!("The server calls {}({})", command.name, values.join(", ")));
            }
            _ => {}
        }
    }

    fn refusal(&self, command: CommandKind, status: &NetStatus, answer: &Command) -> String {
        let what = if command == CommandKind::Other { &self.args.method } else { command.name() };
        if status.code.is_missing() && status.description.is_empty() {
            let values: Vec<_> = answer.arguments.iter().skip(1).map(|value| self.json(value).to_string()).collect();
            return format!("{what} failed: _error {}", values.join(" "));
        }
        format!("{what} failed: {status}")
    }
}

fn failed(failure: &Failure) -> (Code, String) {
    (code_of(failure), failure.to_string())
}

fn of_status(status: &NetStatus) -> String {
    format!("{status} ({})", if status.level.is_empty() { "no level" } else { &status.level })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::amf3;

    #[test]
    fn arguments_in_json_and_in_rtmpdumps_notation() {
        let words = ["5", "S:a:b", "O:1", "NN:n:2", "O:0", "\"text\"", "Z:", "[true]"];
        let got: Vec<_> = arguments(&words, false).unwrap().iter().map(|value| from_amf0(value).to_string()).collect();
        assert_eq!(got, ["5", "\"a:b\"", "{\"n\":2}", "\"text\"", "null", "[true]"]);
        let got = arguments(&["5", "5.0", "N:5", "S:x"], true).unwrap();
        let [integer, double] = [amf3::Value::Integer(5), amf3::Value::Double(5.0)].map(Value::Amf3);
        assert_eq!(got, [integer.clone(), double, integer, Value::Amf3(amf3::Value::String("x".into()))]);
    }

    #[test]
    fn arguments_that_are_refused() {
        assert!(arguments(&["text"], false).unwrap_err().to_string().contains("S:"));
        assert!(arguments(&["N:x"], false).unwrap_err().to_string().contains("N:x"));
        assert!(arguments(&["NS:a:b"], false).unwrap_err().to_string().contains("NS:a:b"));
        assert!(arguments(&["{\"$externalizable\": 1}"], true).unwrap_err().to_string().contains("only their class"));
    }
}
