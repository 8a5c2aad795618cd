//! A centre that lies: nothing becomes delivered, nothing is deleted, and it is written down.

use std::time::Duration;

use expect_test::expect;

use kiosk_sync::{Call, Method, Reply, SyncError, Transport, TransportError, Turn, run_batch};

use crate::centre::{
    Centre, Words, offset_body, receipts_body, receipts_in, refusal, reply, sign1,
};
use crate::terminal::{
    MemoryOutbox, OTHER, RECEIPT, authority_keys, device_key, moment, offer, sealed,
};

/// Says instead of the centre what is answered; what it does not ask the centre, the centre never learns.
type Lie = Box<dyn FnMut(&Call, &mut dyn FnMut() -> Reply) -> Result<Reply, TransportError>>;

struct Liar {
    centre: Centre,
    lie: Lie,
}

impl Transport for Liar {
    fn send(&mut self, call: &Call) -> Result<Reply, TransportError> {
        let centre = &mut self.centre;
        (self.lie)(call, &mut || centre.answer(call))
    }
}

fn is_commit(call: &Call) -> bool {
    call.method == Method::Post
}

/// Lies about the receipts only.
fn receipts(mut lie: impl FnMut(Vec<u8>) -> Vec<u8> + 'static) -> Lie {
    Box::new(move |call, honest| {
        if !is_commit(call) {
            return Ok(honest());
        }
        let lies: Vec<_> = receipts_in(&honest().body).into_iter().map(&mut lie).collect();
        Ok(reply(200, receipts_body(&lies)))
    })
}

/// A receipt that says this instead, correctly signed.
fn words(change: impl Fn(&mut Words) + 'static) -> Lie {
    receipts(move |_| {
        let mut words = Words::of("K-1", &offer(1, &sealed(1, 1)), 1);
        change(&mut words);
        words.signed()
    })
}

fn always(status: u16) -> Lie {
    Box::new(move |_, _| Ok(refusal(status, "no")))
}

/// The true answer with another body.
fn bent(bend: impl Fn(&mut Vec<u8>) + 'static) -> Lie {
    Box::new(move |_, honest| {
        let mut reply = honest();
        bend(&mut reply.body);
        Ok(reply)
    })
}

/// Lies about one kind of request.
fn at(kind: &'static str, answer: Reply) -> Lie {
    Box::new(move |call, honest| {
        Ok(if call.path.starts_with(kind) { answer.clone() } else { honest() })
    })
}

fn story(lie: Lie) -> String {
    let mut outbox = MemoryOutbox::with(vec![sealed(1, 1)]);
    let before = outbox.records.clone();
    let mut liar = Liar { centre: Centre::default(), lie };
    let (key, authority) = (device_key(), authority_keys("K-1"));
    let turn =
        Turn { key: &key, authority: &authority, at: moment(1), batch: [1; 16], records_max: 50 };
    let ended = run_batch(&mut outbox, &mut liar, &turn);
    assert!(outbox.receipts.is_empty(), "a lie was believed");
    assert!(outbox.records == before, "something was changed or deleted");
    let how = match &ended {
        Ok(report) => format!("left {}", report.left),
        Err(error) => error.code().to_owned(),
    };
    let held: Vec<_> = outbox.held.values().cloned().collect();
    let batch = if outbox.open.is_some() { "goes on" } else { "ends" };
    format!("{how}; batch {batch}; held {held:?}; security {:?}", outbox.security)
}

#[test]
fn nothing_is_believed_and_nothing_is_deleted() {
    let mut lies: Vec<(&str, Lie)> = vec![
        ("forged", receipts(|_| forged(&OTHER, &RECEIPT))),
        ("wrong kid", receipts(|_| forged(&OTHER, &OTHER))),
        ("terminal's own key", receipts(|_| forged(&[0x11; 32], &[0x11; 32]))),
        ("other suite", receipts(|_| other_header("changqing/receipt", "NULL-0"))),
        ("other content", receipts(|_| other_header("changqing/roster", "INTL-1"))),
        ("other digest", words(|w| w.digest = [0; 32])),
        ("other record", words(|w| w.record.0[15] ^= 1)),
        ("other device", words(|w| w.device = "K-2".into())),
        ("other number", words(|w| w.seq = 2)),
        ("other word", words(|w| w.word = "seen")),
        ("newer version", words(|w| w.version = 2)),
        (
            "one bit",
            receipts(|mut signed| {
                let at = signed.len() / 2;
                signed[at] ^= 1;
                signed
            }),
        ),
        (
            "a byte behind",
            receipts(|mut signed| {
                signed.push(0);
                signed
            }),
        ),
        (
            "cut",
            receipts(|mut signed| {
                signed.truncate(80);
                signed
            }),
        ),
        ("no receipts", receipts(|_| Vec::new())),
        ("cut answer", bent(|body| body.truncate(body.len() / 2))),
        ("noise", bent(|body| *body = vec![0xff; 64])),
        ("a count from elsewhere", bent(|body| *body = vec![0x9b; 9])),
        ("endless body", Box::new(|_, _| Err(TransportError::TooLong))),
        ("silence", Box::new(|_, _| Err(TransportError::Timeout))),
    ];
    lies.extend([
        ("record 409", at("/v1/records", refusal(409, "other-digest"))),
        ("record 422", at("/v1/records", refusal(422, "<b>unreadable</b>\u{202e}\n"))),
        ("record 400", at("/v1/records", refusal(400, "no"))),
        ("record 302", at("/v1/records", reply(302, Vec::new()))),
        ("picture back for ever", at("/v1/pictures", reply(409, offset_body(1)))),
        ("picture past its end", at("/v1/pictures", reply(202, offset_body(1 << 60)))),
        ("picture stands still", at("/v1/pictures", reply(202, offset_body(0)))),
        ("picture 422 for ever", at("/v1/pictures", refusal(422, "digest"))),
        ("picture gone", at("/v1/pictures", refusal(404, "gone"))),
        ("picture said to be there", at("/v1/pictures", reply(201, Vec::new()))),
    ]);
    for status in [200, 204, 301, 400, 401, 403, 404, 409, 413, 418, 422, 429, 500, 503, 999] {
        lies.push((status.to_string().leak(), always(status)));
    }
    let told: String =
        lies.into_iter().map(|(name, lie)| format!("{name:24} {}\n", story(lie))).collect();
    expect![[r#"
        forged                   left 1; batch ends; held []; security ["receipt-forged", "receipt-forged", "receipt-forged"]
        wrong kid                left 1; batch ends; held []; security ["receipt-forged", "receipt-forged", "receipt-forged"]
        terminal's own key       left 1; batch ends; held []; security ["receipt-forged", "receipt-forged", "receipt-forged"]
        other suite              left 1; batch ends; held []; security ["receipt-forged", "receipt-forged", "receipt-forged"]
        other content            left 1; batch ends; held []; security ["receipt-forged", "receipt-forged", "receipt-forged"]
        other digest             left 1; batch ends; held []; security ["receipt-other-digest", "receipt-other-digest", "receipt-other-digest"]
        other record             left 1; batch ends; held []; security ["receipt-other-record", "receipt-other-record", "receipt-other-record"]
        other device             left 1; batch ends; held []; security ["receipt-other-device", "receipt-other-device", "receipt-other-device"]
        other number             left 1; batch ends; held []; security ["receipt-other-digest", "receipt-other-digest", "receipt-other-digest"]
        other word               left 1; batch ends; held []; security ["receipt-form", "receipt-form", "receipt-form"]
        newer version            left 1; batch ends; held []; security ["receipt-form", "receipt-form", "receipt-form"]
        one bit                  left 1; batch ends; held []; security ["receipt-forged", "receipt-forged", "receipt-forged"]
        a byte behind            left 1; batch ends; held []; security ["receipt-forged", "receipt-forged", "receipt-forged"]
        cut                      left 1; batch ends; held []; security ["receipt-forged", "receipt-forged", "receipt-forged"]
        no receipts              left 1; batch ends; held []; security ["receipt-forged", "receipt-forged", "receipt-forged"]
        cut answer               sync-protocol; batch ends; held []; security []
        noise                    sync-protocol; batch ends; held []; security []
        a count from elsewhere   sync-protocol; batch ends; held []; security []
        endless body             sync-answer-too-long; batch goes on; held []; security []
        silence                  sync-timeout; batch goes on; held []; security []
        record 409               left 0; batch ends; held ["other-digest"]; security ["other-digest-under-this-id"]
        record 422               left 0; batch ends; held ["bunreadableb"]; security []
        record 400               left 1; batch ends; held []; security []
        record 302               left 1; batch ends; held []; security []
        picture back for ever    left 1; batch ends; held []; security []
        picture past its end     left 1; batch ends; held []; security []
        picture stands still     left 1; batch ends; held []; security []
        picture 422 for ever     left 0; batch ends; held ["digest"]; security []
        picture gone             left 1; batch ends; held []; security []
        picture said to be there left 1; batch ends; held []; security []
        200                      sync-protocol; batch ends; held []; security []
        204                      sync-batch-refused; batch ends; held []; security []
        301                      sync-batch-refused; batch ends; held []; security []
        400                      sync-batch-refused; batch ends; held []; security []
        401                      sync-unknown-device; batch goes on; held []; security []
        403                      sync-revoked; batch goes on; held []; security []
        404                      sync-batch-refused; batch ends; held []; security []
        409                      sync-batch-refused; batch ends; held []; security []
        413                      sync-too-large; batch ends; held []; security []
        418                      sync-batch-refused; batch ends; held []; security []
        422                      sync-batch-refused; batch ends; held []; security []
        429                      sync-busy; batch goes on; held []; security []
        500                      sync-authority-fault; batch goes on; held []; security []
        503                      sync-busy; batch goes on; held []; security []
        999                      sync-batch-refused; batch ends; held []; security []
    "#]]
    .assert_eq(&told);
}

fn forged(signer: &[u8; 32], named: &[u8; 32]) -> Vec<u8> {
    let words = Words::of("K-1", &offer(1, &sealed(1, 1)), 1);
    sign1("changqing/receipt", "INTL-1", signer, named, &words.payload())
}

fn other_header(content: &str, suite: &str) -> Vec<u8> {
    let words = Words::of("K-1", &offer(1, &sealed(1, 1)), 1);
    sign1(content, suite, &RECEIPT, &RECEIPT, &words.payload())
}

#[test]
fn a_true_receipt_among_lies_counts() {
    let mut outbox = MemoryOutbox::with(vec![sealed(1, 1), sealed(3, 0)]);
    let lie: Lie = Box::new(|call, honest| {
        if !is_commit(call) {
            return Ok(honest());
        }
        let mut all = receipts_in(&honest().body);
        all[0][40] ^= 1;
        Ok(reply(200, receipts_body(&all)))
    });
    let mut liar = Liar { centre: Centre::default(), lie };
    let (key, authority) = (device_key(), authority_keys("K-1"));
    let turn =
        Turn { key: &key, authority: &authority, at: moment(1), batch: [1; 16], records_max: 50 };
    let report = run_batch(&mut outbox, &mut liar, &turn).unwrap();
    assert_eq!((report.delivered, report.left), (1, 1));
    assert!(outbox.receipts.contains_key(&outbox.records[&2].id));
}

#[test]
fn the_wait_that_was_asked_for_is_passed_on() {
    let lie: Lie = Box::new(|_, _| {
        Ok(Reply { retry_after: Some(Duration::from_secs(77)), ..refusal(503, "busy") })
    });
    let mut liar = Liar { centre: Centre::default(), lie };
    let (key, authority) = (device_key(), authority_keys("K-1"));
    let turn =
        Turn { key: &key, authority: &authority, at: moment(1), batch: [1; 16], records_max: 50 };
    let error: SyncError =
        run_batch(&mut MemoryOutbox::with(vec![sealed(1, 0)]), &mut liar, &turn).unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(77)));
}
