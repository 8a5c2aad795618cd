//! Names of everything the terminal says. The words are in `ui/locales`; a test there holds the two together.

use jiff::civil::Date;

use crate::policy::Words;

/// Something to say: a message and what to put into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Say {
    /// Which message.
    pub id: Id,
    /// Values for `{0}`, `{1}`, … in this order.
    pub with: Vec<Arg>,
}

/// A value inside a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// Shown as it is: a title from a policy pack, a masked name.
    Text(String),
    /// Shown in the words of the language.
    Day(Date),
    /// Shown in digits.
    Number(i64),
    /// A message inside a message.
    Term(Id),
    /// A sentence that a policy pack or the decoder made, in both languages.
    Words(Words),
}

impl From<Id> for Say {
    fn from(id: Id) -> Self {
        Self { id, with: Vec::new() }
    }
}

impl Id {
    /// The message with values.
    pub fn with(self, with: impl IntoIterator<Item = Arg>) -> Say {
        Say { id: self, with: with.into_iter().collect() }
    }
}

macro_rules! ids {
    ($($(#[$meta:meta])* $variant:ident = $id:literal,)*) => {
        /// Identity of a message.
        ///
        /// `err-…` says what happened and `rec-…` what to do; every fault has both.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the words in ui/locales are the documentation")]
        pub enum Id { $($(#[$meta])* $variant,)* }

        impl Id {
            /// All of them, for tests and for the catalogue.
            pub const ALL: &'static [Id] = &[$(Id::$variant,)*];

            /// The name used in the catalogue, in records and as a support code.
            pub fn name(self) -> &'static str {
                match self { $(Id::$variant => $id,)* }
            }

            /// The message of this name.
            pub fn named(name: &str) -> Option<Self> {
                match name { $($id => Some(Id::$variant),)* _ => None }
            }
        }
    };
}

ids! {
    // the first start
    SetupTitle = "setup-title",
    SetupStick = "setup-stick",
    SetupCodeApart = "setup-code-apart",
    SetupHelp = "setup-help",
    SetupCode = "setup-code",
    SetupCodeHint = "setup-code-hint",
    SetupOpening = "setup-opening",
    SetupWrongCode = "setup-wrong-code",
    SetupNotOurs = "setup-not-ours",
    SetupFault = "setup-fault",
    // it cannot serve at all
    BlockedTitle = "blocked-title",
    BlockedCode = "blocked-code",
    // sign-in
    SignIn = "sign-in",
    EnterPin = "enter-pin",
    PinWrong = "pin-wrong",
    CardPinTitle = "card-pin-title",
    CardPinWrong = "card-pin-wrong",
    OperatorLocked = "operator-locked",
    // waiting for a card
    LayCard = "lay-card",
    HoldCardStill = "hold-card-still",
    ReadingCard = "reading-card",
    // who and what is due
    StateDue = "state-due",
    StateDueSoon = "state-due-soon",
    StateOverdue = "state-overdue",
    StateSuspended = "state-suspended",
    StateDone = "state-done",
    StateNotOpen = "state-not-open",
    StateNotRequired = "state-not-required",
    StateUnderReview = "state-under-review",
    DueBy = "due-by",
    OverdueStillOpen = "overdue-still-open",
    NothingDueUntil = "nothing-due-until",
    NotOnRoster = "not-on-roster",
    DateDoubtful = "date-doubtful",
    DateBetween = "date-between",
    DateNotBefore = "date-not-before",
    InReviewSince = "in-review-since",
    InReview = "in-review",
    WarnBirthDiffers = "warn-birth-differs",
    WarnSexDiffers = "warn-sex-differs",
    WarnExpired = "warn-expired",
    WarnValidityReversed = "warn-validity-reversed",
    WarnUnknownCounty = "warn-unknown-county",
    WarnNameDiffers = "warn-name-differs",
    // consent
    ConsentTitle = "consent-title",
    ConsentBody = "consent-body",
    ConsentAlternatives = "consent-alternatives",
    // face
    FaceTitle = "face-title",
    FaceEnrolTitle = "face-enrol-title",
    FaceLook = "face-look",
    FaceComeCloser = "face-come-closer",
    FaceMoveBack = "face-move-back",
    FaceTooDark = "face-too-dark",
    FaceTooBright = "face-too-bright",
    FaceBacklight = "face-backlight",
    FaceHoldStill = "face-hold-still",
    FaceLookHere = "face-look-here",
    FaceEyesOpen = "face-eyes-open",
    FaceOnlyOne = "face-only-one",
    FaceUncover = "face-uncover",
    FaceMaskOff = "face-mask-off",
    FaceGlassesOff = "face-glasses-off",
    FaceHatOff = "face-hat-off",
    FaceBlink = "face-blink",
    FaceOpenMouth = "face-open-mouth",
    FaceTurn = "face-turn",
    FaceNod = "face-nod",
    FaceComparing = "face-comparing",
    // finger
    FingerTitle = "finger-title",
    FingerEnrolTitle = "finger-enrol-title",
    FingerPlace = "finger-place",
    FingerHold = "finger-hold",
    FingerLift = "finger-lift",
    FingerDry = "finger-dry",
    FingerWet = "finger-wet",
    FingerMoved = "finger-moved",
    FingerCentre = "finger-centre",
    FingerAgain = "finger-again",
    FingerRightThumb = "finger-right-thumb",
    FingerRightIndex = "finger-right-index",
    FingerLeftThumb = "finger-left-thumb",
    FingerLeftIndex = "finger-left-index",
    FingerOther = "finger-other",
    // documents of a re-enrolment
    DocumentTitle = "document-title",
    DocumentFront = "document-front",
    DocumentBack = "document-back",
    DocumentInHand = "document-in-hand",
    DocumentTaking = "document-taking",
    DocumentShowCard = "document-show-card",
    DocumentComeCloser = "document-come-closer",
    DocumentMoveIntoFrame = "document-move-into-frame",
    DocumentHoldLevel = "document-hold-level",
    DocumentTooDark = "document-too-dark",
    DocumentGlare = "document-glare",
    DocumentShowOriginal = "document-show-original",
    DocumentHoldStill = "document-hold-still",
    DocumentOtherSide = "document-other-side",
    DocumentOtherCard = "document-other-card",
    // judging
    JudgeUnsure = "judge-unsure",
    JudgeDifferent = "judge-different",
    JudgeSuspectedFake = "judge-suspected-fake",
    WhyScoreLow = "why-score-low",
    WhyScoreBetween = "why-score-between",
    WhyQualityLow = "why-quality-low",
    WhyNotLive = "why-not-live",
    WhyPhotoOld = "why-photo-old",
    WhyNoReference = "why-no-reference",
    WhyTriesUsed = "why-tries-used",
    WhyDocumentByCamera = "why-document-by-camera",
    WhyDocumentUnread = "why-document-unread",
    WhyDocumentDiffers = "why-document-differs",
    WhyDocumentDoubtful = "why-document-doubtful",
    WhyPapersDiffer = "why-papers-differ",
    // other ways
    Plain = "plain",
    WaysTitle = "ways-title",
    WaysBody = "ways-body",
    WayMessage = "way-message",
    WaySpecial = "way-special",
    WayVisitHere = "way-visit-here",
    WayVisitFailed = "way-visit-failed",
    WayPaper = "way-paper",
    WayProxy = "way-proxy",
    WayNotHere = "way-not-here",
    WayElsewhere = "way-elsewhere",
    ElsewhereTitle = "elsewhere-title",
    ElsewhereBody = "elsewhere-body",
    NextElsewhere = "next-elsewhere",
    WayExempt = "way-exempt",
    WayCorrect = "way-correct",
    WayPark = "way-park",
    WayDiscard = "way-discard",
    WayHelp = "way-help",
    HelpTitle = "help-title",
    HelpCard = "help-card",
    HelpFace = "help-face",
    HelpFinger = "help-finger",
    HelpWays = "help-ways",
    HelpRefuse = "help-refuse",
    HelpSlip = "help-slip",
    ModelBuilt = "model-built",
    ModelMissing = "model-missing",
    ShowOriginals = "show-originals",
    ShowWithoutCard = "show-without-card",
    GuestNote = "guest-note",
    NextGuest = "next-guest",
    FaceSitInTheLight = "face-sit-in-the-light",
    NextAppealApproved = "next-appeal-approved",
    NextAppealCertify = "next-appeal-certify",
    NextAppealRefused = "next-appeal-refused",
    NextReviewCounts = "next-review-counts",
    NextVisitBy = "next-visit-by",
    NextSms = "next-sms",
    NextLeavePhone = "next-leave-phone",
    VoiceDigits = "voice-digits",
    // what the phone said
    MessageTitle = "message-title",
    MessageBody = "message-body",
    DecodedTitle = "decoded-title",
    DecodedCause = "decoded-cause",
    DecodedOther = "decoded-other",
    DecodedForm = "decoded-form",
    DecodedPapers = "decoded-papers",
    DecodedBring = "decoded-bring",
    DecodedPlace = "decoded-place",
    DecodedSite = "decoded-site",
    DecodedCall = "decoded-call",
    DecodedEffective = "decoded-effective",
    // the person is not here
    NotHereTitle = "not-here-title",
    NotHereRefused = "not-here-refused",
    NotHereHospital = "not-here-hospital",
    NotHereAway = "not-here-away",
    NotHereAbroad = "not-here-abroad",
    NotHereUnknown = "not-here-unknown",
    NotHereDeceased = "not-here-deceased",
    NotHereOther = "not-here-other",
    ProxyTitle = "proxy-title",
    ProxyBody = "proxy-body",
    ProxySpouse = "proxy-spouse",
    ProxyChild = "proxy-child",
    ProxyRelative = "proxy-relative",
    ProxyUnitClerk = "proxy-unit-clerk",
    ProxyStation = "proxy-station",
    ProxyNote = "proxy-note",
    // special certification, exemption from actions
    SpecialTitle = "special-title",
    SpecialBedridden = "special-bedridden",
    SpecialIll = "special-ill",
    SpecialFace = "special-face",
    SpecialNoMethod = "special-no-method",
    SpecialTerminal = "special-terminal",
    SpecialAgency = "special-agency",
    ExemptTitle = "exempt-title",
    ExemptBody = "exempt-body",
    ExemptDeaf = "exempt-deaf",
    ExemptDementia = "exempt-dementia",
    ExemptBedridden = "exempt-bedridden",
    ExemptBlind = "exempt-blind",
    ExemptDeformedFace = "exempt-deformed-face",
    ExemptNote = "exempt-note",
    WhyExemptWitness = "why-exempt-witness",
    // home visits
    VisitFailedTitle = "visit-failed-title",
    VisitFailedNobody = "visit-failed-nobody",
    VisitFailedMoved = "visit-failed-moved",
    VisitFailedHospital = "visit-failed-hospital",
    VisitFailedRefused = "visit-failed-refused",
    VisitFailedRoad = "visit-failed-road",
    VisitAgainTitle = "visit-again-title",
    VisitAgainOn = "visit-again-on",
    DocumentDoor = "document-door",
    DocumentPaper = "document-paper",
    // correcting, handing over, undoing
    CorrectTitle = "correct-title",
    CorrectBody = "correct-body",
    CorrectPerson = "correct-person",
    CorrectChoice = "correct-choice",
    CorrectData = "correct-data",
    CorrectNote = "correct-note",
    ParkTitle = "park-title",
    ParkBody = "park-body",
    DiscardTitle = "discard-title",
    DiscardBody = "discard-body",
    DraftsTitle = "drafts-title",
    DraftsBody = "drafts-body",
    DraftLine = "draft-line",
    // appeal
    AppealTitle = "appeal-title",
    AppealBody = "appeal-body",
    AppealReasonAged = "appeal-reason-aged",
    AppealReasonIll = "appeal-reason-ill",
    AppealReasonPhotoBad = "appeal-reason-photo-bad",
    AppealReasonOther = "appeal-reason-other",
    WitnessTitle = "witness-title",
    WitnessIsOperator = "witness-is-operator",
    WitnessMayNot = "witness-may-not",
    // saving and result
    Saving = "saving",
    SavedHere = "saved-here",
    CentreHasIt = "centre-has-it",
    SlipPrinted = "slip-printed",
    SlipNotPrinted = "slip-not-printed",
    OutcomeCertified = "outcome-certified",
    OutcomeModelBuilt = "outcome-model-built",
    OutcomeModelBuiltAndCertified = "outcome-model-built-and-certified",
    OutcomeEvidenceOnly = "outcome-evidence-only",
    OutcomeUnderReview = "outcome-under-review",
    OutcomeAppealFiled = "outcome-appeal-filed",
    OutcomeDataFixNeeded = "outcome-data-fix-needed",
    OutcomeNotRequired = "outcome-not-required",
    OutcomeAlreadyDone = "outcome-already-done",
    OutcomeReferred = "outcome-referred",
    OutcomeVisitRequested = "outcome-visit-requested",
    OutcomeSpecialRequested = "outcome-special-requested",
    OutcomeNotPresent = "outcome-not-present",
    OutcomeStoppedSuspectedFake = "outcome-stopped-suspected-fake",
    OutcomeDeviceProblem = "outcome-device-problem",
    NextDue = "next-due",
    NextPhoneCheck = "next-phone-check",
    NextAppealAnswer = "next-appeal-answer",
    NextCertify = "next-certify",
    NextSupervisor = "next-supervisor",
    NextReview = "next-review",
    NextAnswerBy = "next-answer-by",
    NextSpecial = "next-special",
    NextHomeVisit = "next-home-visit",
    NextModelWhenBack = "next-model-when-back",
    NextPaper = "next-paper",
    NextNotHere = "next-not-here",
    NextCall = "next-call",
    // methods
    MethodFacePhoto = "method-face-photo",
    MethodFaceModel = "method-face-model",
    MethodFinger = "method-finger",
    MethodVoice = "method-voice",
    MethodVein = "method-vein",
    MethodPaper = "method-paper",
    MethodHomeVisit = "method-home-visit",
    MethodSpecial = "method-special",
    MethodPhone = "method-phone",
    MethodDataMatch = "method-data-match",
    MethodAppeal = "method-appeal",
    MethodWindow = "method-window",
    // buttons
    TapCertifyFace = "tap-certify-face",
    TapCertifyFinger = "tap-certify-finger",
    TapReEnrolFace = "tap-re-enrol-face",
    TapReEnrolFinger = "tap-re-enrol-finger",
    TapAppeal = "tap-appeal",
    TapHomeVisit = "tap-home-visit",
    TapAgree = "tap-agree",
    TapDecline = "tap-decline",
    TapTryAgain = "tap-try-again",
    TapTakePicture = "tap-take-picture",
    TapCannotTake = "tap-cannot-take",
    TapBack = "tap-back",
    TapDone = "tap-done",
    TapOutbox = "tap-outbox",
    TapSignOut = "tap-sign-out",
    TapNotTheirCard = "tap-not-their-card",
    TapPrintAgain = "tap-print-again",
    TapPrintSlip = "tap-print-slip",
    TapOtherWays = "tap-other-ways",
    TapSendForReview = "tap-send-for-review",
    TapWitness = "tap-witness",
    TapSettle = "tap-settle",
    TapPark = "tap-park",
    TapDiscard = "tap-discard",
    TapDrafts = "tap-drafts",
    // lists of people
    TapPeople = "tap-people",
    TapByLetters = "tap-by-letters",
    TapByDue = "tap-by-due",
    TapSuspended = "tap-suspended",
    TapByVillage = "tap-by-village",
    TapNextPage = "tap-next-page",
    TapEraseLetter = "tap-erase-letter",
    TapDevices = "tap-devices",
    TapCheckAgain = "tap-check-again",
    // the check of the devices
    DevicesTitle = "devices-title",
    DevicesChecking = "devices-checking",
    DevicesWell = "devices-well",
    DevicesFailing = "devices-failing",
    PeopleDue = "people-due",
    PeopleSuspended = "people-suspended",
    PeopleVillage = "people-village",
    PeopleTyped = "people-typed",
    VillageLine = "village-line",
    RoundLine = "round-line",
    RoundLineUndated = "round-line-undated",
    RoundEmpty = "round-empty",
    NotByCard = "not-by-card",
    // outbox
    OutboxTitle = "outbox-title",
    OutboxAllDelivered = "outbox-all-delivered",
    OutboxWaiting = "outbox-waiting",
    OutboxOldest = "outbox-oldest",
    OutboxHeld = "outbox-held",
    OutboxUpdate = "outbox-update",
    // devices
    DeviceIdCard = "device-id-card",
    DeviceCamera = "device-camera",
    DeviceDocumentCamera = "device-document-camera",
    DeviceFinger = "device-finger",
    DevicePrinter = "device-printer",
    DeviceModels = "device-models",
    DeviceFingerModel = "device-finger-model",
    DevicePolicy = "device-policy",
    DeviceStore = "device-store",
    DevicePhotoDecoder = "device-photo-decoder",
    DeviceSocialCard = "device-social-card",
    DeviceCustomerDisplay = "device-customer-display",
    DeviceSpeaker = "device-speaker",
    DevicePanel = "device-panel",
    DeviceCase = "device-case",
    DeviceDoor = "device-door",
    DevicePower = "device-power",
    DeviceClock = "device-clock",
    DeviceReady = "device-ready",
    DeviceOff = "device-off",
    // faults: what happened, what to do
    ErrIdCardSilent = "err-id-card-reader-silent",
    RecIdCardSilent = "rec-id-card-reader-silent",
    ErrIdCardDead = "err-id-card-reader-dead",
    RecIdCardDead = "rec-id-card-reader-dead",
    ErrCardUnverifiable = "err-card-unverifiable",
    RecCardUnverifiable = "rec-card-unverifiable",
    ErrCardUnreadable = "err-card-unreadable",
    RecCardUnreadable = "rec-card-unreadable",
    ErrCameraSilent = "err-camera-silent",
    RecCameraSilent = "rec-camera-silent",
    ErrFingerSilent = "err-finger-reader-silent",
    RecFingerSilent = "rec-finger-reader-silent",
    ErrFaceModelMissing = "err-face-model-missing",
    RecFaceModelMissing = "rec-face-model-missing",
    ErrFingerModelMissing = "err-finger-model-missing",
    RecFingerModelMissing = "rec-finger-model-missing",
    ErrSlipMissing = "err-slip-missing",
    RecSlipMissing = "rec-slip-missing",
    ErrPrinterPaper = "err-printer-paper",
    RecPrinterPaper = "rec-printer-paper",
    ErrPrinterSilent = "err-printer-silent",
    RecPrinterSilent = "rec-printer-silent",
    ErrPrinterCover = "err-printer-cover",
    RecPrinterCover = "rec-printer-cover",
    ErrPrinterLow = "err-printer-low",
    RecPrinterLow = "rec-printer-low",
    ErrPhotoDecoder = "err-photo-decoder",
    RecPhotoDecoder = "rec-photo-decoder",
    ErrSocialReaderSilent = "err-social-reader-silent",
    RecSocialReaderSilent = "rec-social-reader-silent",
    ErrSocialCardOther = "err-social-card-other",
    RecSocialCardOther = "rec-social-card-other",
    ErrSocialCardLocked = "err-social-card-locked",
    RecSocialCardLocked = "rec-social-card-locked",
    ErrSocialCardPinKept = "err-social-card-pin-kept",
    RecSocialCardPinKept = "rec-social-card-pin-kept",
    ErrSocialCardPinBlocked = "err-social-card-pin-blocked",
    RecSocialCardPinBlocked = "rec-social-card-pin-blocked",
    ErrSocialCardUnreadable = "err-social-card-unreadable",
    RecSocialCardUnreadable = "rec-social-card-unreadable",
    ErrCustomerDisplay = "err-customer-display",
    RecCustomerDisplay = "rec-customer-display",
    ErrSpeakerSilent = "err-speaker-silent",
    RecSpeakerSilent = "rec-speaker-silent",
    ErrSpeakerPrompts = "err-speaker-prompts",
    RecSpeakerPrompts = "rec-speaker-prompts",
    ErrPanelSilent = "err-panel-silent",
    RecPanelSilent = "rec-panel-silent",
    ErrCaseOpen = "err-case-open",
    RecCaseOpen = "rec-case-open",
    ErrDoorOpen = "err-door-open",
    RecDoorOpen = "rec-door-open",
    ErrPowerLow = "err-power-low",
    RecPowerLow = "rec-power-low",
    ErrPowerEmpty = "err-power-empty",
    RecPowerEmpty = "rec-power-empty",
    ErrClockDoubtful = "err-clock-doubtful",
    RecClockDoubtful = "rec-clock-doubtful",
    ErrClockUnset = "err-clock-unset",
    RecClockUnset = "rec-clock-unset",
    ErrStoreFull = "err-store-full",
    RecStoreFull = "rec-store-full",
    ErrStoreReadOnly = "err-store-read-only",
    RecStoreReadOnly = "rec-store-read-only",
    ErrDataGone = "err-data-gone",
    RecDataGone = "rec-data-gone",
    ErrDataKey = "err-data-key",
    RecDataKey = "rec-data-key",
    ErrDataFiles = "err-data-files",
    RecDataFiles = "rec-data-files",
    ErrStartFault = "err-start-fault",
    RecStartFault = "rec-start-fault",
    ErrStoreRecovered = "err-store-recovered",
    RecStoreRecovered = "rec-store-recovered",
    ErrStoreIncomplete = "err-store-incomplete",
    RecStoreIncomplete = "rec-store-incomplete",
    ErrStoreFault = "err-store-fault",
    RecStoreFault = "rec-store-fault",
    ErrSealFault = "err-seal-fault",
    RecSealFault = "rec-seal-fault",
    ErrPolicyRefused = "err-policy-refused",
    RecPolicyRefused = "rec-policy-refused",
    ErrPolicyMissing = "err-policy-missing",
    RecPolicyMissing = "rec-policy-missing",
    ErrSyncNoRoute = "err-sync-no-route",
    RecSyncNoRoute = "rec-sync-no-route",
    ErrSyncRefused = "err-sync-refused",
    RecSyncRefused = "rec-sync-refused",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_says_what_to_do() {
        for id in Id::ALL {
            if let Some(fault) = id.name().strip_prefix("err-") {
                assert!(Id::named(&format!("rec-{fault}")).is_some(), "{fault} has no way out");
            }
        }
    }

    #[test]
    fn every_message_is_found_by_its_name() {
        for id in Id::ALL {
            assert_eq!(Id::named(id.name()), Some(*id));
        }
    }
}
