//! `POST /validate` of a running gateway, over real HTTP: Kela's forms, its limits, and a service that nobody can occupy.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use arkki::generate::document::DocumentSpec;
use arkki::generate::frame::{Carrier, FrameSpec, TEST_ARCHIVE};
use arkki::generate::samples;
use arkki::generate::signature::{Hand, Hands as _};
use serde_json::{Value, json};

use super::SOON;
use crate::kit::{self, process::Process};
use crate::road::Gateway;

struct Service {
    gateway: Gateway,
    _serve: Process,
    port: u16,
    agent: ureq::Agent,
}

impl Service {
    async fn start() -> Self {
        let port = kit::ports::free();
        let gateway = Gateway::new(None, &format!("[answer]\nreceivers = [{TEST_ARCHIVE:?}]\n[validate]\nlisten = \"127.0.0.1:{port}\"\n")).await;
        let serve = gateway.serve(&[]);
        let agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(Some(SOON)).build().into();
        Self { gateway, _serve: serve, port, agent }
    }

    /// Status and body of a POST.
    fn post(&self, language: &str, body: &[u8]) -> (u16, String) {
        let url = format!("http://127.0.0.1:{}/validate", self.port);
        let request = self.agent.post(&url).header("content-type", "application/json").header("accept-language", language);
        let mut response = request.send(body).unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }

    fn ask(&self, request: &Value) -> (u16, String) {
        self.post("fi", request.to_string().as_bytes())
    }

    /// The `description` of a request that is refused.
    #[track_caller]
    fn refused(&self, request: &Value) -> String {
        let (status, body) = self.ask(request);
        assert_eq!(status, 400, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        body["description"].as_str().unwrap().to_owned()
    }
}

/// Frame and document of a good pair, and its service request.
fn pair(spec: &DocumentSpec, carrier: Option<Carrier>) -> (String, String, &'static str) {
    let mut octets = spec.render();
    if spec.signed {
        octets = crate::generate::keys().sign(&octets, Hand::Professional).unwrap();
    }
    let mut frame = FrameSpec::around(spec, 7);
    frame.carrier = carrier.unwrap_or(Carrier::Base64);
    let mut text = String::from_utf8(frame.render(&octets)).unwrap();
    if carrier.is_none() {
        let (from, to) = (text.find("<text ").or_else(|| text.find(":text ").and_then(|at| text[..at].rfind('<'))).unwrap(), text.find("text>").unwrap() + 5);
        text.replace_range(from..to, "");
    }
    (text, String::from_utf8(octets).unwrap(), frame.service_request.unwrap())
}

fn request((frame, document, service_request): &(String, String, &str)) -> Value {
    json!({ "messageId": "8f14e45f-ceea-467f-a8f1-9c2b1a2d3e4f", "palveluPyynto": service_request, "level": "1", "siirtokehysXml": frame, "asiakirjaXml": document })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_pair_has_an_empty_answer_and_every_fault_its_number() {
    let service = Service::start().await;
    tokio::task::block_in_place(|| {
        let family = samples::finnish();
        for spec in family.in_order() {
            for carrier in [None, Some(Carrier::Base64), Some(Carrier::Mime)] {
                let (status, body) = service.ask(&request(&pair(spec, carrier)));
                assert_eq!((status, body.as_str()), (200, ""), "{:?} {carrier:?}", spec.group);
            }
        }
        let good = request(&pair(&family.case, None));
        let swapped = |field: &str, from: &str, to: &str| {
            let mut other = good.clone();
            let text = good[field].as_str().unwrap();
            assert!(text.contains(from), "{from}");
            other[field] = Value::String(text.replacen(from, to, 1));
            other
        };
        // One fault each, by its code and number.
        let (id, version) = (family.case.id.as_str(), "<versionNumber value=\"1\"");
        for (faulty, code) in [
            (swapped("siirtokehysXml", id, "1.2.3"), "E801"),
            (swapped("siirtokehysXml", "\"SPX-CASE\"", "\"SP999\""), "E806"),
            (swapped("siirtokehysXml", "processingCode code=\"T\"", "processingCode code=\"P\""), "E809"),
            (swapped("asiakirjaXml", "languageCode code=\"fi\"", "languageCode code=\"de\""), "E302"),
            (swapped("asiakirjaXml", "ClinicalDocument", "ClinicalDocumentti"), "E103"),
            (swapped("asiakirjaXml", "<?xml version", "<?xml version=\"1.0\"?><?xml version"), "E117"),
        ] {
            let said = service.refused(&faulty);
            assert!(said.starts_with(&format!("1: {code} ")), "{code}: {said}");
        }
        // All findings of a stage, each numbered, none with a semicolon in it.
        let mut both = swapped("siirtokehysXml", version, "<versionNumber value=\"9\"");
        both["siirtokehysXml"] = Value::String(both["siirtokehysXml"].as_str().unwrap().replacen(id, "1.2.3", 1));
        let said = service.refused(&both);
        let parts: Vec<&str> = said.split(';').collect();
        assert!(parts.len() == 2 && parts[0].starts_with("1: E801 ") && parts[1].starts_with("2: E803 "), "{said}");
        // A person who may exist, in frame and document alike.
        let mut real = family.case.clone();
        real.person = super::nobody();
        let said = service.refused(&request(&pair(&real, None)));
        assert!(said.contains("E308") && !said.contains(&real.person.hetu), "{said}");
    });
    assert!(!service.gateway.log_text().contains("010101-002"), "an identity code in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_none_are_told_what_they_lack() {
    let service = Service::start().await;
    tokio::task::block_in_place(|| {
        let whole = pair(&samples::finnish().case, Some(Carrier::Base64));
        let good = request(&whole);
        let with = |field: &str, value: Value| {
            let mut other = good.clone();
            other[field] = value;
            other
        };
        let without = |field: &str| {
            let mut other = good.clone();
            other.as_object_mut().unwrap().remove(field);
            other
        };
        for body in ["", "{", "[]", "null", "\"x\"", "{\"messageId\": \"\\ud800\"}", &"[".repeat(100_000)] {
            let (status, said) = service.post("fi", body.as_bytes());
            assert!(status == 400 && said.contains("1: E860 ") && said.contains("JSON"), "{status} {said}");
        }
        assert_eq!(service.post("fi", b"\xff\xfe{}").0, 400);
        for field in ["messageId", "palveluPyynto", "level", "siirtokehysXml", "asiakirjaXml"] {
            for faulty in [without(field), with(field, Value::Null), with(field, json!("")), with(field, json!(["x"]))] {
                let said = service.refused(&faulty);
                assert!(said.starts_with("1: E860 ") && said.contains(&format!("({field})")), "{field}: {said}");
            }
        }
        let crlf = |text: &str| Value::String(text.replace('\n', "\r\n"));
        let bare = |text: &str| Value::String(text[text.find("?>").unwrap() + 2..].trim_start().to_owned());
        for (faulty, words) in [
            (with("siirtokehysXml", crlf(&whole.0)), "CRLF (siirtokehysXml)"),
            (with("asiakirjaXml", crlf(&whole.1)), "CRLF (asiakirjaXml)"),
            (with("siirtokehysXml", bare(&whole.0)), "XML-esittely puuttuu (siirtokehysXml)"),
            (with("asiakirjaXml", bare(&whole.1)), "XML-esittely puuttuu (asiakirjaXml)"),
            (with("palveluPyynto", json!("SP1")), "palveluPyynto on toinen"),
            (with("asiakirjaXml", json!(format!("{}\n", whole.1))), "toinen kuin asiakirjaXml"),
            (with("siirtokehysXml", json!(whole.1)), "siirtokehys ei ole arkistosanoma"),
            (with("level", json!("7")), "tasoa ei tunneta"),
            (with("messageId", json!("a b")), "messageId"),
        ] {
            let said = service.refused(&faulty);
            assert!(said.starts_with("1: E860 ") && said.contains(words), "{words}: {said}");
        }
        let framed = request(&pair(&samples::finnish().case, None));
        let mut twice = framed.clone();
        twice["asiakirjaXml"] = framed["siirtokehysXml"].clone();
        assert!(service.refused(&twice).contains("asiakirja on siirtokehys"), "a frame is no document");
        assert_eq!(service.ask(&with("level", json!(1))).0, 200, "a level in digits");
        // In the reader's language.
        let faulty = without("level").to_string();
        for (language, words) in [("sv-FI, fi;q=0.5", "Valideringsbegäran"), ("en", "validation request"), ("de", "Validointipyyntö")] {
            assert!(service.post(language, faulty.as_bytes()).1.contains(words), "{language}");
        }
        let get = |path: &str| service.agent.get(format!("http://127.0.0.1:{}{path}", service.port)).call().unwrap().status().as_u16();
        assert_eq!((get("/validate"), get("/"), get("/metrics")), (405, 404, 404));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_occupy_it() {
    let service = Service::start().await;
    tokio::task::block_in_place(|| {
        let good = request(&pair(&samples::finnish().phase_one, None)).to_string();
        // Peers that begin and say nothing more.
        let head = "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n";
        let idle: Vec<TcpStream> = (0..3)
            .map(|n| {
                let mut stream = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
                stream.write_all(&head.as_bytes()[..head.len() - 2 * n]).unwrap();
                stream
            })
            .collect();
        assert_eq!(service.post("fi", good.as_bytes()).0, 200, "others wait behind silent ones");
        drop(idle);
        let answers: Vec<(u16, String)> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..24).map(|_| scope.spawn(|| service.post("fi", good.as_bytes()))).collect();
            asking.into_iter().map(|a| a.join().unwrap()).collect()
        });
        let taken = answers.iter().filter(|(status, body)| *status == 200 && body.is_empty()).count();
        let busy = answers.iter().filter(|(status, body)| *status == 503 && body.contains("varattu")).count();
        assert!(taken >= 1 && taken + busy == 24, "{answers:?}");
        // Larger than anything that could be valid: told, and read no further.
        let mut stream = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        write!(stream, "POST /validate HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 999999999999\r\n\r\n").unwrap();
        let mut said = String::new();
        let _cut = stream.read_to_string(&mut said);
        assert!(said.starts_with("HTTP/1.1 413"), "{said}");
        assert_eq!(service.post("fi", good.as_bytes()).0, 200);
        let metrics = service.agent.get(format!("http://127.0.0.1:{}/metrics", service.gateway.port)).call().unwrap().body_mut().read_to_string().unwrap();
        assert!(metrics.lines().any(|l| l.starts_with("arkki_validations_total{verdict=\"valid\"} ")), "{metrics}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_others_reach_is_spoken_of_and_a_taken_one_named() {
    let service = Service::start().await;
    let second = service.gateway.arkki(&["serve"]);
    crate::faces::exits(&second, 2);
    let gateway = Gateway::new(None, "[validate]\nlisten = \"0.0.0.0:9465\"\n").await;
    gateway.arkki(&["migrate"]).must();
    let doctor = gateway.arkki(&["doctor"]);
    crate::faces::exits(&doctor, 1);
    assert!(doctor.text().contains("validation service: 0.0.0.0:9465"), "{}", doctor.text());
}
