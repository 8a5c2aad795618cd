//! The fingerprint module and its network: progress while the image comes, quality as coaching, then compared.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use drivers::finger_scanner::{FingerScanner, ScannerError};
use drivers::fingerprint::profile::Profile;
use drivers::fingerprint::{self, Capture, Light, Progress, Retry, Sensor, Settings};
use drivers::link::LinkConfig;
use drivers::livescan::Scanner;
use kiosk_core::decision::{Comparison, Liveness, Modality};
use kiosk_core::event::{Event, FingerEvent, FingerPurpose, Sitting};
use kiosk_core::message::Id;
use models::finger::{FingerCoaching, FingerEngine, FingerTemplate, GreyImage};
use models::{Manifest, ModelError};
use tracing::{info, warn};

use super::Loan;
use crate::config::FingerprintConfig;
use crate::happening::{Teller, Told};
use crate::tray::SharedTray;

/// What the room is asked to do.
pub enum Order {
    /// Scan a finger.
    Scan {
        /// Named by the answers.
        sitting: Sitting,
        /// Verify or enrol.
        purpose: FingerPurpose,
        /// ISO 19794-2 position.
        finger: u8,
    },
    /// Stop.
    Stop,
    /// Let go of the scanner for a while.
    Lend(Loan),
}

/// The room.
pub struct FingerRoom {
    config: FingerprintConfig,
    models: PathBuf,
    teller: Teller,
    tray: SharedTray,
    told: Told,
    scanner: Option<Box<dyn FingerScanner>>,
    /// The network, and the size of the images it was made for.
    engine: Option<(FingerEngine, Manifest)>,
    engine_size: (u32, u32),
    sitting: Sitting,
}

/// A placement that was taken and understood.
struct Placement {
    image: GreyImage,
    template: FingerTemplate,
    quality: u8,
}

impl FingerRoom {
    /// A room whose network is not loaded yet.
    pub fn new(
        config: FingerprintConfig,
        models: PathBuf,
        teller: Teller,
        tray: SharedTray,
    ) -> Self {
        Self {
            config,
            models,
            teller,
            tray,
            told: Told::new(Id::DeviceFinger),
            scanner: None,
            engine: None,
            engine_size: (0, 0),
            sitting: Sitting::default(),
        }
    }

    /// Works until nobody gives orders any more.
    pub fn run(mut self, orders: &Receiver<Order>) {
        self.look();
        loop {
            match orders.recv_timeout(LOOK_EVERY) {
                Ok(Order::Scan { sitting, purpose, finger }) => {
                    self.sitting = sitting;
                    self.scan(purpose, finger, orders);
                }
                Ok(Order::Lend(loan)) => self.lend(loan),
                Ok(Order::Stop) => {}
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn lend(&mut self, loan: Loan) {
        self.scanner = None;
        loan.wait();
    }

    /// Between two people: a scanner that was plugged in again is found, and one that went is missed.
    fn look(&mut self) {
        let answered = self.open().map_err(|error| self.lost(&error));
        let answered = answered.and_then(|()| {
            let scanner = self.scanner.as_mut().expect("opened above");
            scanner.ping().map_err(|error| self.lost(&error))
        });
        self.told.tell(&self.teller, answered.err());
    }

    /// Opens the scanner, and loads the network for the size of its images.
    fn open(&mut self) -> Result<(), ScannerError> {
        if self.scanner.is_some() {
            return Ok(());
        }
        let (scanner, size) = open(&self.config)?;
        self.scanner = Some(scanner);
        self.load(size);
        Ok(())
    }

    /// It is opened anew at the next look or order.
    fn lost(&mut self, error: &ScannerError) -> Id {
        if self.scanner.take().is_some() || !self.told.is_trouble() {
            warn!(code = error.code(), "fingerprint scanner");
        }
        Id::ErrFingerSilent
    }

    fn load(&mut self, size: (u32, u32)) {
        if self.engine.is_some() && self.engine_size == size {
            return;
        }
        let loaded = Manifest::of(&self.models).and_then(|manifest| {
            Ok((FingerEngine::load(&self.models, &manifest, size.0, size.1)?, manifest))
        });
        if let Err(error) = &loaded {
            warn!(%error, "fingerprint network");
        }
        let trouble = loaded.is_err().then_some(Id::ErrFingerModelMissing);
        self.teller.device(Id::DeviceFingerModel, trouble);
        self.engine = loaded.ok();
        self.engine_size = size;
    }

    fn scan(&mut self, purpose: FingerPurpose, finger: u8, orders: &Receiver<Order>) {
        if let Err(error) = self.open() {
            let err = self.lost(&error);
            return self.failed(err);
        }
        if self.engine.is_none() {
            return self.tell(FingerEvent::Failed(Id::ErrFingerModelMissing));
        }
        let until = Instant::now() + SITTING_TIME;
        let mut placed: Vec<Placement> = Vec::new();
        let wanted = match purpose {
            FingerPurpose::Verify => 1,
            FingerPurpose::Enrol { placements } => usize::from(placements),
        };
        while placed.len() < wanted {
            match orders.try_recv() {
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return self.light(Light::Off),
                Ok(Order::Scan { sitting, purpose, finger }) => {
                    self.sitting = sitting;
                    return self.scan(purpose, finger, orders);
                }
                Ok(Order::Lend(loan)) => self.lend(loan),
                Err(TryRecvError::Empty) => {}
            }
            if Instant::now() >= until {
                self.light(Light::Off);
                return self.tell(FingerEvent::TimedOut);
            }
            match self.place() {
                Ok(Some(placement)) => {
                    placed.push(placement);
                    if placed.len() < wanted {
                        self.tell(FingerEvent::Placed);
                    }
                }
                Ok(None) => {}
                Err(err) => return self.failed(err),
            }
        }
        self.light(Light::Good);
        self.finish(purpose, finger, placed);
    }

    /// One placement: waits a moment for the finger, so that an order can come between.
    fn place(&mut self) -> Result<Option<Placement>, Id> {
        let (teller, sitting) = (self.teller.clone(), self.sitting);
        let mut last = (Id::FingerAgain, 0.0);
        let mut told = |progress| {
            let (prompt, progress) = match progress {
                Progress::WaitingForFinger => (Id::FingerPlace, 0.0),
                Progress::WaitingForLift => (Id::FingerLift, 0.0),
                Progress::Taken => (Id::FingerHold, 0.05),
                Progress::Uploading(share) => (Id::FingerHold, share),
            };
            // The module tells of each packet; the screen needs to hear of twenty steps.
            if prompt == last.0 && progress < last.1 + PROGRESS_STEP {
                return;
            }
            last = (prompt, progress);
            teller.event(Event::Finger(sitting, FingerEvent::Seen { prompt, progress }));
        };
        let captured = self.open().and_then(|()| {
            let scanner = self.scanner.as_mut().expect("opened above");
            scanner.capture(Instant::now() + ORDER_EVERY, &mut told)
        });
        match captured {
            Ok(Capture::Retry(Retry::NoFinger)) => Ok(None),
            Ok(Capture::Retry(why)) => {
                self.coach(retry_hint(why));
                Ok(None)
            }
            Ok(Capture::Image(image)) => Ok(self.understand(image)),
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// Extracts and weighs; a poor placement is coaching, not a comparison.
    fn understand(&mut self, image: fingerprint::GreyImage) -> Option<Placement> {
        let (engine, manifest) = self.engine.as_ref().expect("checked before the first placement");
        let ppi = image.ppi;
        let image = GreyImage::new(image.width, image.height, ppi, image.pixels)?;
        let template = engine.extract(&image).inspect_err(|error| warn!(%error, "finger")).ok()?;
        let quality = engine.quality(&image, &template);
        let least = manifest
            .thresholds("finger", &engine.model_id().name, &engine.model_id().name)
            .map_or(0.0, |set| set.quality_min);
        info!(quality = quality.score, n_minutiae = quality.n_minutiae, "finger placed");
        if quality.score < least {
            self.coach(quality.coaching.map_or(Id::FingerAgain, quality_hint));
            return None;
        }
        let quality = quality.score.clamp(0.0, 100.0) as u8;
        Some(Placement { image, template, quality })
    }

    fn finish(&mut self, purpose: FingerPurpose, finger: u8, mut placed: Vec<Placement>) {
        let mut comparisons = Vec::new();
        match purpose {
            FingerPurpose::Verify => match self.compare(finger, &placed[0]) {
                Ok(found) => comparisons = found,
                Err(error) => {
                    warn!(%error, "comparing fingers");
                    return self.tell(FingerEvent::Failed(Id::ErrFingerModelMissing));
                }
            },
            FingerPurpose::Enrol { .. } => {
                let views = placed.iter().map(|p| (finger, p.quality, p.template.clone()));
                let views = views.collect();
                if let Some(mut tray) = self.tray.open_for(self.sitting.visit) {
                    tray.new_fingers = views;
                }
            }
        }
        placed.sort_by_key(|placement| placement.quality);
        let best = placed.pop().expect("the loop above filled it");
        if let Some(mut tray) = self.tray.open_for(self.sitting.visit) {
            tray.finger = Some(best.image);
        }
        self.tell(FingerEvent::Taken(comparisons));
    }

    fn compare(&self, finger: u8, probe: &Placement) -> Result<Vec<Comparison>, ModelError> {
        let (engine, manifest) = self.engine.as_ref().expect("checked before the first placement");
        let id = engine.model_id();
        let tray = self.tray.open();
        let of_this_finger = tray.fingers.iter().filter(|(_, position, _)| *position == finger);
        let compare = |(name, _, reference): &(String, u8, FingerTemplate)| {
            let kind =
                if reference.extractor == probe.template.extractor { &id.name } else { "foreign" };
            let set = manifest.thresholds("finger", &id.name, kind)?;
            let score = engine.compare(&probe.template, reference);
            Some(score.map(|score| Comparison {
                modality: Modality::Finger,
                score: Some(score),
                quality: probe.quality,
                liveness: Liveness::NotEvaluated,
                model: id.in_records(),
                thresholds: super::thresholds(set),
                reference: name.clone(),
            }))
        };
        let mut found = of_this_finger.filter_map(compare).collect::<Result<Vec<_>, _>>()?;
        // Several placements of one finger were enrolled; the most alike is the one that counts.
        found.sort_by(|a, b| b.score.unwrap_or(0.0).total_cmp(&a.score.unwrap_or(0.0)));
        Ok(found)
    }

    fn coach(&mut self, prompt: Id) {
        self.light(Light::Bad);
        self.tell(FingerEvent::Seen { prompt, progress: 0.0 });
    }

    fn failed(&mut self, err: Id) {
        self.told.tell(&self.teller, Some(err));
        self.tell(FingerEvent::Failed(err));
    }

    fn tell(&self, event: FingerEvent) {
        self.teller.event(Event::Finger(self.sitting, event));
    }

    /// The lamp helps; a module without one works as well.
    fn light(&mut self, light: Light) {
        if let Some(scanner) = &mut self.scanner
            && let Err(error) = scanner.light(light)
        {
            warn!(code = error.code(), "fingerprint lamp");
        }
    }
}

/// A scanner and the size of its images in pixels.
type Measured = (Box<dyn FingerScanner>, (u32, u32));

/// The scanner of the settings.
fn open(config: &FingerprintConfig) -> Result<Measured, ScannerError> {
    if let Some(livescan) = &config.livescan {
        let scanner = Scanner::open(livescan.settings())?;
        let size = (scanner.window().width, scanner.window().height);
        return Ok((Box::new(scanner), size));
    }
    let port = config.port.as_ref().expect("the settings were checked: port or livescan");
    let profile = Profile::named(&config.profile).expect("the settings were checked: a profile");
    let settings = Settings { profile, ..Settings::default() };
    let sensor = Sensor::open(&LinkConfig::serial(port), settings)?;
    Ok((Box::new(sensor), (profile.width, profile.height)))
}

fn retry_hint(why: Retry) -> Id {
    match why {
        Retry::NoFinger => Id::FingerPlace,
        Retry::TooDry => Id::FingerDry,
        Retry::TooWet => Id::FingerWet,
        Retry::Moved => Id::FingerMoved,
        Retry::LiftFirst => Id::FingerLift,
        _ => Id::FingerCentre,
    }
}

fn quality_hint(why: FingerCoaching) -> Id {
    match why {
        FingerCoaching::NoFinger => Id::FingerPlace,
        FingerCoaching::TooDry => Id::FingerDry,
        FingerCoaching::TooWet => Id::FingerWet,
        FingerCoaching::PressFlat => Id::FingerCentre,
        FingerCoaching::HoldStill => Id::FingerMoved,
    }
}

/// How long a person may take to find the window with their finger before other ways are offered.
const SITTING_TIME: Duration = Duration::from_secs(60);
/// Smallest step of an upload that is shown.
const PROGRESS_STEP: f32 = 0.05;
/// How long the room does not listen to orders.
const ORDER_EVERY: Duration = Duration::from_millis(500);
/// How often the scanner is asked for a sign of life when no finger is wanted.
const LOOK_EVERY: Duration = Duration::from_secs(3);
