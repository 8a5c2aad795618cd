//! The one event loop: everything that happens becomes an event for core, everything core wants goes to a room.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use drivers::camera::Camera;
use drivers::camera::{Rotation, v4l};
use drivers::clock::ClockWatch;
use drivers::memory_card::WearWatch;
use drivers::power::PowerWatch;
use image::RgbImage;
use kiosk_core::event::{CardEvent, Effect, Event, SealOrder};
use kiosk_core::identity::CardIdentity;
use kiosk_core::lists::Ask;
use kiosk_core::message::Id;
use kiosk_core::moment::Doubt;
use kiosk_core::operator::{PinCheck, Role};
use kiosk_core::outcome::Outcome;
use kiosk_core::policy::PackSet;
use kiosk_core::record::RecordId;
use kiosk_core::terminal::Terminal;
use kiosk_core::view::{Delivery, Header, OutboxLine, Page, SlipState, Trouble, View};
use kiosk_core::visit::Place;
use kiosk_store::{AuditLine, RecordState, Seq, StoreError};
use kiosk_sync::{Https, Identity, Sealer};
use sha2::{Digest, Sha256};
use tracing::{debug, error, info, warn};

use crate::clock::{Clock, ClockWord};
use crate::config::{CameraConfig, Config, OperatorConfig};
use crate::devices::check;
use crate::drafts;
use crate::happening::{Happening, Teller};
use crate::health::devices::tell as devices_told;
use crate::ids::Ids;
use crate::operators;
use crate::policy::in_force::{InForce, Shelf};
use crate::rooms::face::OpenCamera;
use crate::rooms::paper::Sheet;
use crate::rooms::roster::lists::{Kind, Lists};
use crate::rooms::{Awaited, Borrowed, Loan, guide};
use crate::rooms::{card, customer, face, finger, keep, panel, paper, roster, scrub, send, social};
use crate::rooms::{voice, watch};
use crate::served::Served;
use crate::setup::reset::{self, Reset};
use crate::tray::{SharedTray, Tray};
use crate::vault::{Provisioned, Vault, VaultError};
use crate::watchdog::Watchdog;

/// Whatever shows views: a window, a bare screen, or memory.
pub trait Display {
    /// Shows this view.
    fn show(&mut self, view: &View);
    /// Shows the camera's picture.
    fn preview(&mut self, picture: RgbImage);
    /// Shows the chip's photo on the person's page.
    fn picture_of_card(&mut self, picture: Option<RgbImage>);
}

/// What differs between a desk and the field.
pub struct Outside {
    /// The clocks.
    pub clock: Clock,
    /// Where identities come from.
    pub ids: Ids,
    /// Opens the camera.
    pub open_camera: OpenCamera,
    /// The camera for papers, where there is another one for them.
    pub open_document_camera: Option<OpenCamera>,
}

/// Why the terminal cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Store, keys or signed files.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The roster cannot be used at all.
    #[error(transparent)]
    Roster(#[from] roster::RosterError),
    /// The line to the authority cannot be set up.
    #[error("the line to the authority cannot be set up")]
    Transport(#[from] kiosk_sync::TransportError),
    /// A file cannot be read.
    #[error("cannot read {0}")]
    Read(std::path::PathBuf, #[source] std::io::Error),
}

impl StartError {
    /// For whoever stands at the screen.
    pub fn told(&self) -> Id {
        match self {
            Self::Vault(VaultError::Store(StoreError::DiskFull)) => Id::ErrStoreFull,
            Self::Vault(VaultError::Store(StoreError::ReadOnly)) => Id::ErrStoreReadOnly,
            _ => Id::ErrStartFault,
        }
    }
}

/// The program's middle: core, the rooms, and what is known of the devices.
pub struct Shell {
    terminal: Terminal,
    config: Config,
    clock: Clock,
    /// To whoever may set the machine's clock.
    clock_word: Option<ClockWord>,
    /// To whoever starts the machine again for an update.
    served: Option<Served>,
    vault: Vault,
    tray: SharedTray,
    inbox: Receiver<Happening>,
    /// What came behind a camera frame that a newer one replaced.
    put_back: Option<Happening>,
    teller: Teller,
    orders: Orders,
    rooms: Vec<thread::JoinHandle<()>>,
    troubles: BTreeMap<&'static str, Trouble>,
    outbox: (u32, u32),
    /// The edition that lies ready for the night.
    update: Option<String>,
    shown: Option<View>,
    shelf: Shelf,
    awaited: Awaited,
    ids: Ids,
    /// The record on the slip, for the customer's display.
    printed: Option<RecordId>,
    case_is_open: bool,
    /// Whether a check of the devices is under way.
    checking: Arc<AtomicBool>,
    /// What is to be called when everything is closed.
    shut_down: Option<Vec<String>>,
    /// Where the authority may order that this terminal begins anew.
    reset: Option<Reset>,
    /// It did, and the site was set aside: the program ends, and its next start asks to be set up.
    begins_anew: bool,
}

/// A way to each room that there is.
struct Orders {
    card: Option<Sender<card::Order>>,
    social: Option<Sender<social::Order>>,
    face: Sender<face::Order>,
    finger: Option<Sender<finger::Order>>,
    keep: Sender<Box<SealOrder>>,
    paper: Sender<paper::Order>,
    send: Sender<send::Order>,
    panel: Option<Sender<panel::Order>>,
    customer: Option<Sender<customer::Order>>,
    voice: Option<Sender<voice::Order>>,
    watch: Sender<watch::Order>,
    /// Held until the program ends.
    _scrub: Sender<scrub::Order>,
}

/// What one turn of the loop was about.
pub enum Turn {
    /// Nothing happened in time.
    Quiet,
    /// Core heard this.
    Heard(
        #[cfg_attr(not(feature = "desk"), expect(dead_code, reason = "the desk records it"))] Event,
    ),
    /// Something that core does not need to hear.
    Aside,
    /// The program is to end.
    Stop,
}

impl Shell {
    /// Opens the store, checks what was provisioned, and starts every room.
    pub fn start(config: Config, outside: Outside) -> Result<Self, StartError> {
        let vault = Vault::open(&config.terminal.state)?;
        let provisioned = Provisioned::read(&config.terminal.provisioned)?;
        let mut shelf = Shelf::new(
            provisioned.file("policy"),
            config.terminal.state.join("policy"),
            provisioned.keys.policy.clone(),
        );
        let InForce { packs, trouble } = shelf.load();
        if let Ok(Some(known)) = vault.store().meta(send::CLOCK) {
            outside.clock.restore(&known);
        }
        let today = outside.clock.now().date();
        if let Err(problem) = roster::import(&vault, &provisioned, &packs, today) {
            // The roster from before stays in force; without any, everybody is unknown and still served.
            error!(%problem, "roster");
        }
        let place = place(&config, &provisioned, packs);
        let (sender, inbox) = mpsc::channel();
        let teller = Teller::new(sender);
        let tray = SharedTray::default();
        let clock = outside.clock.clone();
        let mut rooms = Vec::new();
        let awaited = Awaited::default();
        let house = House {
            config: &config,
            provisioned: &provisioned,
            vault: &vault,
            tray: &tray,
            teller: &teller,
            awaited: &awaited,
        };
        let ids = outside.ids.clone();
        let orders = open_rooms(&mut rooms, &house, outside)?;
        let clock_word = config.clock.as_ref().map(|clock| ClockWord::new(&clock.word));
        let served = config.served.as_ref().map(|served| Served::nobody(&served.file));
        let reset = config.setup.as_ref().map(|setup| Reset::new(setup, &provisioned.keys));
        let mut shell = Self {
            terminal: Terminal::new(place),
            config,
            clock,
            clock_word,
            served,
            vault,
            tray,
            inbox,
            put_back: None,
            teller,
            orders,
            rooms,
            troubles: BTreeMap::new(),
            outbox: (0, 0),
            update: None,
            shown: None,
            shelf,
            awaited,
            ids,
            printed: None,
            case_is_open: false,
            checking: Arc::default(),
            shut_down: None,
            reset,
            begins_anew: false,
        };
        devices_told(&shell.troubles);
        shell.note_device(Id::DevicePolicy, trouble);
        shell.outbox = shell.vault.outbox_counts().unwrap_or_default();
        shell.status();
        Ok(shell)
    }

    /// Closes every room and waits for it: the program must not end under a thread that still writes. An empty battery
    /// then switches the machine off, where the settings say how.
    pub fn end(self) {
        let Self { orders, rooms, shut_down, .. } = self;
        drop(orders);
        for room in rooms {
            if room.join().is_err() {
                warn!("a room had fallen over");
            }
        }
        if let Some(words) = shut_down {
            switch_off(&words);
        }
    }

    /// A wire into this loop, for taps and for the end.
    pub fn teller(&self) -> Teller {
        self.teller.clone()
    }

    /// What is on the screen.
    #[cfg(feature = "desk")]
    pub fn view(&self) -> View {
        self.terminal.view()
    }

    /// The store, to count what it holds.
    #[cfg(feature = "desk")]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Runs until the program is asked to end; `watchdog` hears of each finished turn.
    pub fn run(&mut self, display: &mut dyn Display, watchdog: &mut Watchdog) {
        self.refresh(display);
        watchdog.ready();
        while !matches!(self.turn(display, TICK), Turn::Stop) {
            watchdog.turned();
        }
    }

    /// Waits for one happening, lets core decide, gives the orders, and shows what changed.
    pub fn turn(&mut self, display: &mut dyn Display, wait: Duration) -> Turn {
        let happening = match self.put_back.take() {
            Some(happening) => Ok(happening),
            None => self.inbox.recv_timeout(wait),
        };
        let turn = match happening {
            Ok(Happening::Event(event)) => {
                self.hear(event.clone());
                // The next person may sit down at once.
                if self.terminal.is_idle() {
                    self.look_for_reset();
                }
                Turn::Heard(event)
            }
            Ok(Happening::Preview(picture)) => {
                display.preview(self.newest(picture));
                return Turn::Aside;
            }
            Ok(Happening::Device(what, trouble)) => {
                self.note_device(what, trouble);
                Turn::Aside
            }
            Ok(Happening::Case { is_open }) => {
                self.note_case(is_open);
                Turn::Aside
            }
            Ok(Happening::Outbox(waiting, held)) => {
                self.outbox = (waiting, held);
                self.status();
                Turn::Aside
            }
            Ok(Happening::Update(edition)) => {
                self.update = edition;
                self.status();
                Turn::Aside
            }
            Ok(Happening::Stop) | Err(RecvTimeoutError::Disconnected) => return Turn::Stop,
            Err(RecvTimeoutError::Timeout) => {
                self.look_for_packs();
                self.look_at_clock();
                self.look_for_reset();
                self.status();
                Turn::Quiet
            }
        };
        self.refresh(display);
        if self.shut_down.is_some() || self.begins_anew {
            return Turn::Stop;
        }
        turn
    }

    /// Frames that wait behind this one replace it: a slow screen must not make a queue grow.
    fn newest(&mut self, mut picture: RgbImage) -> RgbImage {
        loop {
            match self.inbox.try_recv() {
                Ok(Happening::Preview(newer)) => picture = newer,
                other => {
                    self.put_back = other.ok();
                    return picture;
                }
            }
        }
    }

    fn hear(&mut self, event: Event) {
        let effects = self.terminal.handle(event, self.clock.now());
        for effect in effects {
            self.obey(effect);
        }
    }

    fn obey(&mut self, effect: Effect) {
        let now = self.clock.now();
        match effect {
            Effect::CheckPin { operator, pin } => {
                let limits = self.terminal.place().packs.sign_in_limits();
                let staff = &self.config.operator;
                let check = operators::check(staff, &self.vault, &operator, &pin, limits, now);
                if check == PinCheck::Right {
                    self.look_into_case(&operator);
                }
                self.teller.event(Event::PinChecked(operator, check));
            }
            Effect::AwaitCard => {
                self.check_reserve();
                self.awaited.open();
                order(self.orders.card.as_ref(), card::Order::Await);
                order(self.orders.social.as_ref(), social::Order::Await);
            }
            Effect::ReadWithPin(pin) => {
                order(self.orders.social.as_ref(), social::Order::TryPin(pin));
            }
            Effect::Find(number) => {
                let lookup = roster::find(&self.vault, &self.tray, &number);
                self.teller.event(Event::Found(Box::new(lookup)));
            }
            Effect::WatchFace { sitting, purpose, actions, action_s, passive } => {
                let time = Duration::from_secs(action_s.into());
                let liveness = face::LivenessRule { actions, time, passive };
                order(Some(&self.orders.face), face::Order::Watch { sitting, purpose, liveness });
            }
            Effect::ScanFinger { sitting, purpose, finger } => match &self.orders.finger {
                Some(room) => order(Some(room), finger::Order::Scan { sitting, purpose, finger }),
                None => {
                    let failed = kiosk_core::event::FingerEvent::Failed(Id::ErrFingerSilent);
                    self.teller.event(Event::Finger(sitting, failed));
                }
            },
            Effect::PreviewDocument => {
                let is_held = matches!(&self.terminal.view().page, Page::Document(page)
                    if page.which == Id::DocumentInHand);
                order(Some(&self.orders.face), face::Order::Preview { is_held });
            }
            Effect::TakeDocument(sitting, role) => {
                order(Some(&self.orders.face), face::Order::Take(sitting, role));
            }
            Effect::StopSensors => {
                order(Some(&self.orders.face), face::Order::Stop);
                order(self.orders.finger.as_ref(), finger::Order::Stop);
            }
            Effect::Seal(sealing) => order(Some(&self.orders.keep), sealing),
            Effect::SaveDraft(draft) => drafts::save(&self.vault, &self.tray, &draft),
            Effect::Restore(visit) => drafts::restore(&self.vault, &self.tray, visit),
            Effect::Discard { visit, operator } => {
                if let Err(problem) = drafts::discard(&self.vault, &self.clock, visit, &operator) {
                    error!(code = problem.code(), "draft");
                }
            }
            Effect::ListDrafts => {
                self.teller.event(Event::Drafts(drafts::list(&self.vault)));
            }
            Effect::ListPeople { ask, page } => self.list_people(&ask, page),
            Effect::ListVillages => self.list_villages(),
            Effect::OpenPerson(number) => {
                if let Some(card) = roster::open(&self.vault, &number) {
                    self.open_person(card);
                }
            }
            Effect::Forget => {
                self.printed = None;
                // Whoever lays a card now is served when somebody has signed in, and asks for it.
                self.awaited.take();
                self.tray.clear();
            }
            Effect::Print(slip) => {
                self.printed = Some(slip.record);
                order(Some(&self.orders.paper), paper::Order::Print(Sheet::of(&slip)));
            }
            Effect::PrintKept(seq) => self.print_kept(Seq(seq)),
            Effect::Speak(prompt) => {
                debug!(prompt = prompt.name(), "speak");
                order(self.orders.voice.as_ref(), voice::Order::Say(prompt));
            }
            Effect::Send => order(Some(&self.orders.send), send::Order::Send),
            Effect::ListOutbox => self.list_outbox(),
            Effect::CheckDevices => self.check_devices(),
            Effect::PowerDown => self.power_down(),
        }
    }

    /// Somebody known from the roster, as if their card had been read; a terminal without a card reader can do it too.
    fn open_person(&mut self, card: CardIdentity) {
        self.awaited.take();
        let (visit, record) = self.ids.visit_and_record();
        *self.tray.open() = Tray { visit, ..Tray::default() };
        let card = Box::new(card);
        self.teller.event(Event::Card(CardEvent::Read { card, visit, record }));
    }

    /// Every room lends its device to the check, and has it back when that is over. Whoever asks meanwhile hears of the
    /// same check.
    fn check_devices(&self) {
        if self.checking.swap(true, Ordering::AcqRel) {
            return;
        }
        let lent = self.orders.lend();
        let (config, teller) = (self.config.clone(), self.teller.clone());
        let checking = Arc::clone(&self.checking);
        let done = move |lines| {
            checking.store(false, Ordering::Release);
            teller.event(Event::Checked(lines));
        };
        let checking = thread::Builder::new().name("check".into()).spawn(move || {
            let until = Instant::now() + LET_GO_MAX;
            for borrowed in &lent {
                if !borrowed.is_free(until.saturating_duration_since(Instant::now())) {
                    warn!("a room does not let go of its device");
                }
            }
            let checkups = check::run(&config, None);
            drop(lent);
            done(check::lines(checkups));
        });
        checking.expect("the system has a thread to give");
    }

    /// Without a word about how to switch the machine off, the program stays and tells that it is paused.
    fn power_down(&mut self) {
        warn!("the battery is nearly empty");
        let words = self.config.power.shut_down.clone();
        self.shut_down = (!words.is_empty()).then_some(words);
    }

    /// A case that was opened is told until a supervisor has signed in, also when it was shut again.
    fn note_case(&mut self, is_open: bool) {
        if std::mem::replace(&mut self.case_is_open, is_open) == is_open {
            return;
        }
        self.audit("terminal", if is_open { "case-opened" } else { "case-shut" });
        if is_open {
            self.note_device(Id::DeviceCase, Some(Id::ErrCaseOpen));
        }
    }

    fn look_into_case(&mut self, operator: &str) {
        let was_opened = self.troubles.contains_key(Id::DeviceCase.name());
        let of_them = |known: &&OperatorConfig| known.who.id == operator;
        let known = self.config.operator.iter().find(of_them);
        let is_supervisor = known.is_some_and(|known| known.who.role == Role::Supervisor);
        if was_opened && is_supervisor && !self.case_is_open {
            self.audit(operator, "case-seen");
            self.note_device(Id::DeviceCase, None);
        }
    }

    fn audit(&self, actor: &str, event: &str) {
        let (at, detail) = (self.clock.now(), String::new());
        let line = AuditLine { at, actor: actor.into(), event: event.into(), detail };
        if let Err(problem) = self.vault.store().audit(&line) {
            error!(code = problem.code(), "audit trail");
        }
    }

    fn lists(&self) -> Lists<'_> {
        Lists { vault: &self.vault, packs: &self.terminal.place().packs, now: self.clock.now() }
    }

    fn list_people(&self, ask: &Ask, page: u16) {
        let (lists, page) = (self.lists(), page.into());
        let found = match ask {
            Ask::Due | Ask::Villages => lists.list(&Kind::Due, page),
            Ask::Suspended => lists.list(&Kind::Suspended, page),
            Ask::Village(village) => lists.list(&Kind::Village(village.clone()), page),
            Ask::Letters(typed) => lists.search(typed, page),
        };
        match found {
            Ok(lines) => self.teller.event(Event::People(lines)),
            Err(problem) => warn!(code = problem.code(), "list of people"),
        }
    }

    fn list_villages(&self) {
        match self.lists().villages() {
            Ok(villages) => {
                let due = villages.into_iter().filter(|village| village.n_due > 0);
                let lines = due.map(|village| (village.village, village.n_due)).collect();
                self.teller.event(Event::Villages(lines));
            }
            Err(problem) => warn!(code = problem.code(), "villages"),
        }
    }

    /// A record that came back from the journal after a damaged database has no slip any more.
    fn print_kept(&self, seq: Seq) {
        let kept = self.vault.store().slip(seq).unwrap_or_else(|problem| {
            error!(code = problem.code(), "slip");
            None
        });
        match kept.and_then(|bytes| Sheet::from_bytes(&bytes)) {
            Some(sheet) => order(Some(&self.orders.paper), paper::Order::Print(sheet)),
            None => self.teller.event(Event::Slip(SlipState::NotPrinted(Id::ErrSlipMissing))),
        }
    }

    fn list_outbox(&self) {
        let records = self.vault.store().records(OUTBOX_LINES_MAX);
        match records {
            Ok(lines) => {
                let lines = lines.into_iter().map(outbox_line).collect();
                self.teller.event(Event::Outbox(lines));
            }
            Err(problem) => warn!(code = problem.code(), "outbox"),
        }
    }

    /// Packs that were delivered while the terminal works.
    fn look_for_packs(&mut self) {
        if let Some(InForce { packs, trouble }) = self.shelf.reload() {
            self.note_device(Id::DevicePolicy, trouble);
            self.hear(Event::Packs(Box::new(packs)));
        }
    }

    /// Between visits a wrong clock is set right by somebody else. It is compared at once then, so that it is believed
    /// over the next restart as well.
    fn look_at_clock(&mut self) {
        let is_idle = self.terminal.is_idle();
        let word = self.clock_word.as_mut();
        if word.is_some_and(|word| word.is_obeyed(&self.clock, is_idle)) {
            info!("the clock was set by the centre's time");
            order(Some(&self.orders.send), send::Order::Send);
        }
    }

    fn look_for_reset(&mut self) {
        let Some(reset) = &mut self.reset else {
            return;
        };
        let state = reset.look();
        // Who looks at their result or waits for their slip is served still.
        if matches!(state, reset::State::Ordered(_))
            && matches!(self.terminal.view().page, Page::SignIn(_) | Page::Waiting(_))
        {
            match reset.obey() {
                Ok(()) => {
                    warn!("the site was set aside by the authority's order; records stay");
                    self.begins_anew = true;
                    self.audit("centre", "reset-obeyed");
                }
                Err(problem) => error!(%problem, "the site cannot be set aside"),
            }
        }
        let refused = (state == reset::State::Refused).then_some(Id::ErrResetRefused);
        self.note_device(Id::DeviceSetup, refused);
    }

    fn note_device(&mut self, what: Id, trouble: Option<Id>) {
        let before = self.troubles.get(what.name()).map(|trouble| trouble.err);
        if before == trouble {
            return;
        }
        match trouble {
            Some(err) => {
                warn!(device = what.name(), code = err.name(), "trouble");
                self.troubles.insert(what.name(), Trouble { what, err });
            }
            None => {
                info!(device = what.name(), "works");
                self.troubles.remove(what.name());
            }
        }
        devices_told(&self.troubles);
        self.status();
    }

    /// A disk that runs full is told before the next person sits down, not at the end of their visit.
    fn check_reserve(&mut self) {
        let told = |problem: StoreError| match problem {
            StoreError::ReadOnly => Id::ErrStoreReadOnly,
            _ => Id::ErrStoreFull,
        };
        let hindrance = self.vault.store().check_reserve().err().map(told);
        let recovered = self.vault.recovery.as_ref().map(|recovery| match recovery.missing[..] {
            [] if recovery.damaged_bytes == 0 => Id::ErrStoreRecovered,
            _ => Id::ErrStoreIncomplete,
        });
        self.note_device(Id::DeviceStore, hindrance.or(recovered));
    }

    fn status(&mut self) {
        let now = self.clock.now();
        let header = Header {
            today: Some(now.date()),
            clock_doubtful: now.doubt != Doubt::None,
            waiting: self.outbox.0,
            held: self.outbox.1,
            troubles: self.troubles.values().copied().collect(),
            update: self.update.clone(),
            ..Header::default()
        };
        self.hear(Event::Status(header));
    }

    /// Shows what changed since the last time.
    pub fn refresh(&mut self, display: &mut dyn Display) {
        let view = self.terminal.view();
        if self.shown.as_ref() == Some(&view) {
            return;
        }
        if self.shown.as_ref().is_none_or(|shown| shown.page.name() != view.page.name()) {
            info!(page = view.page.name(), "screen");
        }
        // Before it is seen: nobody sits down at a terminal that is about to start again.
        if let Some(served) = &mut self.served {
            served.follow(&view.page);
        }
        if matches!(view.page, Page::Person(_)) {
            display.picture_of_card(self.tray.open().chip_photo.clone());
        }
        display.show(&view);
        self.guide(&view);
        self.shown = Some(view);
    }

    /// Lamps, light, sound and the customer's display follow the screen.
    fn guide(&self, view: &View) {
        let panel = panel::Order::Show {
            lamps: guide::lamps(view),
            is_lit: guide::wants_light(view),
            beep: guide::beep(self.shown.as_ref(), view),
        };
        order(self.orders.panel.as_ref(), panel);
        if let Some(room) = &self.orders.customer {
            order(Some(room), customer::Order::Show(guide::scene(view, self.printed)));
        }
        let before = self.shown.as_ref().and_then(guide::coaching);
        if let Some(prompt) = guide::coaching(view).filter(|prompt| Some(*prompt) != before) {
            order(self.orders.voice.as_ref(), voice::Order::Coach(prompt));
        }
    }
}

impl Orders {
    /// Asks every room to let go of its device.
    fn lend(&self) -> Vec<Borrowed> {
        let mut lent = Vec::new();
        let mut loan = || {
            let (loan, borrowed) = Loan::new();
            lent.push(borrowed);
            loan
        };
        order(self.card.as_ref(), card::Order::Lend(loan()));
        order(self.social.as_ref(), social::Order::Lend(loan()));
        order(Some(&self.face), face::Order::Lend(loan()));
        order(self.finger.as_ref(), finger::Order::Lend(loan()));
        order(Some(&self.paper), paper::Order::Lend(loan()));
        order(self.panel.as_ref(), panel::Order::Lend(loan()));
        order(self.customer.as_ref(), customer::Order::Lend(loan()));
        order(self.voice.as_ref(), voice::Order::Lend(loan()));
        order(Some(&self.watch), watch::Order::Lend(loan()));
        lent
    }
}

/// A room that is gone has ended the program already; its last words are in the journal.
fn order<T>(room: Option<&Sender<T>>, order: T) {
    if room.is_some_and(|room| room.send(order).is_err()) {
        warn!("a room is closed");
    }
}

fn outbox_line(line: kiosk_store::RecordLine) -> OutboxLine {
    OutboxLine {
        seq: line.seq.0,
        outcome: Outcome::message_of(&line.outcome).unwrap_or(Id::OutcomeReferred),
        day: line.captured.date(),
        delivery: match line.state {
            RecordState::Waiting => Delivery::SavedHere,
            RecordState::Held(_) => Delivery::Held,
            RecordState::Delivered { receipt_no } => Delivery::CentreHasIt(receipt_no),
        },
    }
}

fn place(config: &Config, provisioned: &Provisioned, packs: PackSet) -> Place {
    let notice = [Id::ConsentBody, Id::ConsentAlternatives].map(|id| ui::catalogue::plain(id).zh);
    Place {
        device: provisioned.keys.device.clone(),
        site: provisioned.keys.site.clone(),
        site_name: config.terminal.site_name.clone(),
        packs,
        operators: config.operator.iter().map(|operator| operator.who.clone()).collect(),
        notice: NOTICE_VERSION.into(),
        notice_digest: Sha256::digest(notice.join("\n")).into(),
        troubles: Vec::new(),
    }
}

/// What rooms are made of.
struct House<'a> {
    config: &'a Config,
    provisioned: &'a Provisioned,
    vault: &'a Vault,
    tray: &'a SharedTray,
    teller: &'a Teller,
    awaited: &'a Awaited,
}

fn open_rooms(
    rooms: &mut Vec<thread::JoinHandle<()>>,
    house: &House<'_>,
    outside: Outside,
) -> Result<Orders, StartError> {
    let House { config, provisioned, vault, tray, teller, awaited } = *house;
    let models = config.terminal.models.clone();
    let sealer = Sealer::new(Box::new(provisioned.sign_key()?), provisioned.keys.enc.clone());
    let keep = keep::KeepRoom::new(vault.clone(), sealer, teller.clone(), tray.clone());
    let paper = paper::PaperRoom::new(config.printer.clone(), teller.clone());
    let sending = send::SendRoom {
        config: config.authority.clone(),
        vault: vault.clone(),
        authority: provisioned.keys.clone(),
        key: Box::new(provisioned.sign_key()?),
        transport: transport(config, provisioned)?,
        updates: config
            .update
            .as_ref()
            .and_then(|update| send::Updates::new(update, &config.terminal.state)),
        clock: outside.clock.clone(),
        teller: teller.clone(),
    };
    let eyes = face::Eyes::new(outside.open_camera, outside.open_document_camera);
    let face = face::FaceRoom::new(eyes, models.clone(), teller.clone(), tray.clone());
    let ids = outside.ids;
    let social = config.social_card.clone().map(|social| {
        let (teller, tray, ids) = (teller.clone(), tray.clone(), ids.clone());
        social::SocialRoom::new(social.settings(), teller, tray, ids, awaited.clone())
    });
    let card = config.id_card.clone().map(|settings| {
        card::CardRoom::new(settings, teller.clone(), tray.clone(), ids, awaited.clone())
    });
    let finger = config
        .fingerprint
        .clone()
        .map(|settings| finger::FingerRoom::new(settings, models, teller.clone(), tray.clone()));
    let panel = config
        .panel
        .as_ref()
        .map(|panel| panel::PanelRoom::new(panel.settings(), panel.fill_percent, teller.clone()));
    let customer = config.customer_display.as_ref();
    let customer = customer.map(|it| customer::CustomerRoom::new(it.settings(), teller.clone()));
    let voice = config.speaker.as_ref();
    let voice = voice.map(|voice| voice::VoiceRoom::new(voice.settings(), teller.clone()));
    let power = PowerWatch::over(&config.power.folder, config.power.limits());
    let memory_card = WearWatch::below(&config.terminal.state);
    let clocks = ClockWatch::new(check::OLDEST);
    let scrub = scrub::ScrubRoom::new(vault.clone(), teller.clone());
    let watch = watch::WatchRoom::new(power, memory_card, clocks, outside.clock, teller.clone());
    Ok(Orders {
        card: card.map(|room| spawn(rooms, "card", teller, move |orders| room.run(orders))),
        social: social.map(|room| spawn(rooms, "social", teller, move |orders| room.run(orders))),
        face: spawn(rooms, "face", teller, move |orders| face.run(orders)),
        finger: finger.map(|room| spawn(rooms, "finger", teller, move |orders| room.run(orders))),
        keep: spawn(rooms, "keep", teller, move |orders| keep.run(orders)),
        paper: spawn(rooms, "paper", teller, move |orders| paper.run(orders)),
        send: spawn(rooms, "send", teller, move |orders| sending.run(orders)),
        panel: panel.map(|room| spawn(rooms, "panel", teller, move |orders| room.run(orders))),
        customer: customer
            .map(|room| spawn(rooms, "customer", teller, move |orders| room.run(orders))),
        voice: voice.map(|room| spawn(rooms, "voice", teller, move |orders| room.run(orders))),
        watch: spawn(rooms, "watch", teller, move |orders| watch.run(orders)),
        _scrub: spawn(rooms, "scrub", teller, move |orders| scrub.run(orders)),
    })
}

/// Starts a room on a thread of its own. A room that panics ends the program: what was sealed is in the store, and the
/// visit under way begins again with the card.
fn spawn<T: Send + 'static>(
    rooms: &mut Vec<thread::JoinHandle<()>>,
    name: &'static str,
    teller: &Teller,
    run: impl FnOnce(&Receiver<T>) + Send + 'static,
) -> Sender<T> {
    let (sender, orders) = mpsc::channel();
    let teller = teller.clone();
    let body = move || {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&orders)));
        if ended.is_err() {
            error!(room = name, "a room fell over");
            teller.tell(Happening::Stop);
        }
    };
    let builder = thread::Builder::new().name(name.into());
    rooms.push(builder.spawn(body).expect("the system has a thread to give at start"));
    sender
}

fn transport(config: &Config, provisioned: &Provisioned) -> Result<Https, StartError> {
    let read = |name: &str| {
        let file = provisioned.file(name);
        std::fs::read_to_string(&file).map_err(|e| StartError::Read(file, e))
    };
    let (ca, cert, key) = (read("ca.pem")?, read("tls.pem")?, read("tls.key.pem")?);
    let identity = Identity { ca_pem: &ca, cert_pem: &cert, key_pem: &key };
    let base = config.authority.url.clone().unwrap_or_else(|| NOWHERE.into());
    Ok(Https::new(&base, &identity)?)
}

/// Everything is closed: this may take the power away.
fn switch_off(words: &[String]) {
    let Some((program, arguments)) = words.split_first() else {
        return;
    };
    if let Err(problem) = Command::new(program).args(arguments).status() {
        error!(%problem, program, "the machine cannot be switched off");
    }
}

/// Opens the camera of the settings.
pub fn real_camera(config: Option<&CameraConfig>) -> Result<Box<dyn Camera>, Id> {
    let config = config.ok_or(Id::ErrCameraSilent)?;
    let rotation = Rotation::from_degrees(config.rotation).unwrap_or_default();
    open_v4l(&config.device, rotation)
}

fn open_v4l(device: &Path, rotation: Rotation) -> Result<Box<dyn Camera>, Id> {
    let settings = v4l::V4lSettings { rotation, ..v4l::V4lSettings::at(device) };
    Ok(Box::new(v4l::V4lCamera::start(settings)))
}

/// The clock in the header is looked at so often.
const TICK: Duration = Duration::from_secs(20);
/// How long a room may take to let go of its device; a card that is being read takes a second or two.
const LET_GO_MAX: Duration = Duration::from_secs(3);
const OUTBOX_LINES_MAX: usize = 200;
/// The words of the consent notice are in the catalogue; their digest goes into each record.
const NOTICE_VERSION: &str = "2026-11";
/// Until the address file is there: a port that answers nobody.
const NOWHERE: &str = "https://127.0.0.1:9";
