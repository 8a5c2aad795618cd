//! What the authority says no with: a status of the protocol, a code and a text.
//! Neither says anything about a person.

use crate::{cbor::Writer, cose::CoseError, manifest::ManifestError, record::RecordError};

/// Why a request is refused. Its text is the protocol's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The certificate is ours, the device is not registered.
    UnknownDevice,
    /// The device is revoked.
    Revoked,
    /// Not a request of the protocol.
    NotTheProtocol,
    /// Not the protocol's CBOR or COSE, or a field with a value it cannot have.
    Malformed,
    /// More than a body, a batch or a picture may have.
    TooLarge,
    /// Another suite or algorithm than INTL-1.
    WrongSuite,
    /// Signed or sealed as something else.
    WrongContentType,
    /// Sealed to a key that is not ours, or signed by one that is not the device's.
    UnknownKey,
    /// The signature does not fit.
    BadSignature,
    /// The seal does not open.
    BadSeal,
    /// A version above the reader's.
    NewerVersion,
    /// The id inside is not the id of the request.
    WrongId,
    /// Another device than the one of the certificate.
    WrongDevice,
    /// The pictures of the record are not those of the manifest.
    WrongPictures,
    /// No manifest of this device announced it.
    NotAnnounced,
    /// No such batch; offer its manifest again.
    UnknownBatch,
    /// No receipt for this record.
    NoReceipt,
    /// No update of this digest is offered.
    UnknownUpdate,
    /// The same record id with another digest.
    RecordConflict,
    /// The same sequence number with another record.
    SeqConflict,
    /// The same batch id with another manifest.
    BatchConflict,
    /// The picture's bytes do not have the announced digest.
    WrongDigest,
    /// The opened picture is neither JPEG nor PNG.
    NotAPicture,
    /// The upload does not go on where the kept bytes end.
    WrongOffset,
    /// More requests of one device at a time than are taken.
    TooMany,
    /// Not now.
    Busy,
    /// The authority's own fault.
    Fault,
}

/// A refusal: what goes back instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {text}", code.text())]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code.
    pub code: Code,
    /// For whoever reads the terminal's journal.
    pub text: String,
}

impl Code {
    /// The code as it is sent.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::UnknownDevice => "unknown-device",
            Self::Revoked => "revoked",
            Self::NotTheProtocol => "not-the-protocol",
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::WrongSuite => "wrong-suite",
            Self::WrongContentType => "wrong-content-type",
            Self::UnknownKey => "unknown-key",
            Self::BadSignature => "bad-signature",
            Self::BadSeal => "bad-seal",
            Self::NewerVersion => "newer-version",
            Self::WrongId => "wrong-id",
            Self::WrongDevice => "wrong-device",
            Self::WrongPictures => "wrong-pictures",
            Self::NotAnnounced => "not-announced",
            Self::UnknownBatch => "unknown-batch",
            Self::NoReceipt => "no-receipt",
            Self::UnknownUpdate => "unknown-update",
            Self::RecordConflict => "record-conflict",
            Self::SeqConflict => "seq-conflict",
            Self::BatchConflict => "batch-conflict",
            Self::WrongDigest => "wrong-digest",
            Self::NotAPicture => "not-a-picture",
            Self::WrongOffset => "wrong-offset",
            Self::TooMany => "too-many",
            Self::Busy => "busy",
            Self::Fault => "fault",
        }
    }

    /// Whether this is the mark of a thief or a forger rather than of a defect.
    #[must_use]
    pub fn is_security_event(self) -> bool {
        matches!(
            self,
            Self::Revoked
                | Self::UnknownDevice
                | Self::UnknownKey
                | Self::BadSignature
                | Self::WrongDevice
                | Self::RecordConflict
                | Self::SeqConflict
                | Self::BatchConflict
        )
    }

    /// This refusal with a status and a text.
    #[must_use]
    pub fn refuse(self, status: u16, text: impl Into<String>) -> Refusal {
        Refusal { status, code: self, text: text.into() }
    }
}

impl Refusal {
    /// The body: `{0: code, 1: text}`.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        Writer::new().map(2).int(0).text(self.code.text()).int(1).text(&self.text).done()
    }

    /// Whether another try may end otherwise without anybody doing something about it.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 429 | 503)
    }
}

/// The code of a COSE fault.
#[must_use]
pub fn cose_code(fault: CoseError) -> Code {
    match fault {
        CoseError::Cbor(_) => Code::Malformed,
        CoseError::WrongSuite => Code::WrongSuite,
        CoseError::WrongContentType => Code::WrongContentType,
        CoseError::UnknownKey => Code::UnknownKey,
        CoseError::BadSignature => Code::BadSignature,
        CoseError::BadSeal => Code::BadSeal,
    }
}

/// The code of a record fault.
#[must_use]
pub fn record_code(fault: RecordError) -> Code {
    match fault {
        RecordError::Version(_) => Code::NewerVersion,
        RecordError::Cbor(_) | RecordError::Field(_) => Code::Malformed,
    }
}

/// The refusal of a manifest that cannot be worked with.
#[must_use]
pub fn manifest_refusal(fault: ManifestError) -> Refusal {
    match fault {
        ManifestError::Unreadable(inner) => record_code(inner).refuse(400, chain(&inner)),
        ManifestError::WrongSuite => Code::WrongSuite.refuse(400, chain(&fault)),
        ManifestError::TooLarge => Code::TooLarge.refuse(413, chain(&fault)),
    }
}

/// An error and its sources in one line.
#[must_use]
pub fn chain(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut source = fault.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
