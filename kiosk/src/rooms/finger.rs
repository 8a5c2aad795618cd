//! The fingerprint module and its network: progress while the image comes, quality as coaching, then compared.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use drivers::fingerprint::profile::Profile;
use drivers::fingerprint::{self, Capture, Light, Progress, Retry, Sensor, Settings};
use drivers::link::LinkConfig;
use kiosk_core::decision::{Comparison, Liveness, Modality};
use kiosk_core::event::{Event, FingerEvent, FingerPurpose, Sitting};
use kiosk_core::message::Id;
use models::finger::{FingerCoaching, FingerEngine, FingerTemplate, GreyImage};
use models::{Manifest, matcher};
use tracing::{info, warn};

use crate::config::FingerprintConfig;
use crate::happening::Teller;
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
}

/// The room.
pub struct FingerRoom {
    config: FingerprintConfig,
    models: PathBuf,
    teller: Teller,
    tray: SharedTray,
    sensor: Option<Sensor>,
    engine: Option<(FingerEngine, Manifest)>,
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
        let sitting = Sitting::default();
        Self { config, models, teller, tray, sensor: None, engine: None, sitting }
    }

    /// Works until nobody gives orders any more.
    pub fn run(mut self, orders: &Receiver<Order>) {
        self.load();
        if let Err(err) = self.open() {
            self.teller.device(Id::DeviceFinger, Some(err));
        }
        while let Ok(order) = orders.recv() {
            if let Order::Scan { sitting, purpose, finger } = order {
                self.sitting = sitting;
                self.scan(purpose, finger, orders);
            }
        }
    }

    fn load(&mut self) {
        let Some(profile) = Profile::named(&self.config.profile) else {
            return self.teller.device(Id::DeviceFinger, Some(Id::ErrFingerSilent));
        };
        let loaded = Manifest::built_in().and_then(|manifest| {
            let engine =
                FingerEngine::load(&self.models, &manifest, profile.width, profile.height)?;
            Ok((engine, manifest))
        });
        match loaded {
            Ok(engine) => self.engine = Some(engine),
            Err(error) => {
                warn!(%error, "fingerprint network");
                self.teller.device(Id::DeviceFingerModel, Some(Id::ErrFingerModelMissing));
            }
        }
    }

    fn open(&mut self) -> Result<&mut Sensor, Id> {
        if self.sensor.is_none() {
            let profile = Profile::named(&self.config.profile).ok_or(Id::ErrFingerSilent)?;
            let settings = Settings { profile, ..Settings::default() };
            let sensor = Sensor::open(&LinkConfig::serial(&self.config.port), settings);
            self.sensor = Some(sensor.map_err(|error| {
                warn!(code = error.code(), "fingerprint module");
                Id::ErrFingerSilent
            })?);
            self.teller.device(Id::DeviceFinger, None);
        }
        Ok(self.sensor.as_mut().expect("opened above"))
    }

    fn scan(&mut self, purpose: FingerPurpose, finger: u8, orders: &Receiver<Order>) {
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
        let captured = self.open()?.capture(Instant::now() + ORDER_EVERY, &mut told);
        match captured {
            Ok(Capture::Retry(Retry::NoFinger)) => Ok(None),
            Ok(Capture::Retry(why)) => {
                self.coach(retry_hint(why));
                Ok(None)
            }
            Ok(Capture::Image(image)) => Ok(self.understand(image)),
            Err(error) => {
                warn!(code = error.code(), "fingerprint module");
                self.sensor = None;
                Err(Id::ErrFingerSilent)
            }
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
            .thresholds("finger", &engine.model_id().name, "finger-leader")
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
            FingerPurpose::Verify => comparisons = self.compare(finger, &placed[0]),
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

    fn compare(&self, finger: u8, probe: &Placement) -> Vec<Comparison> {
        let (engine, manifest) = self.engine.as_ref().expect("checked before the first placement");
        let id = engine.model_id();
        let tray = self.tray.open();
        let of_this_finger = tray.fingers.iter().filter(|(_, position, _)| *position == finger);
        let compare = |(name, _, reference): &(String, u8, FingerTemplate)| {
            let kind =
                if reference.extractor == probe.template.extractor { &id.name } else { "foreign" };
            let set = manifest.thresholds("finger", &id.name, kind)?;
            Some(Comparison {
                modality: Modality::Finger,
                score: Some(matcher::compare(&probe.template, reference)),
                quality: probe.quality,
                liveness: Liveness::NotEvaluated,
                model: format!("{} {}", id.name, id.sha16),
                thresholds: super::thresholds(set),
                reference: name.clone(),
            })
        };
        let mut found: Vec<Comparison> = of_this_finger.filter_map(compare).collect();
        // Several placements of one finger were enrolled; the most alike is the one that counts.
        found.sort_by(|a, b| b.score.unwrap_or(0.0).total_cmp(&a.score.unwrap_or(0.0)));
        found
    }

    fn coach(&mut self, prompt: Id) {
        self.light(Light::Bad);
        self.tell(FingerEvent::Seen { prompt, progress: 0.0 });
    }

    fn failed(&mut self, err: Id) {
        self.teller.device(Id::DeviceFinger, Some(err));
        self.tell(FingerEvent::Failed(err));
    }

    fn tell(&self, event: FingerEvent) {
        self.teller.event(Event::Finger(self.sitting, event));
    }

    /// The lamp helps; a module without one works as well.
    fn light(&mut self, light: Light) {
        if let Some(sensor) = &mut self.sensor
            && let Err(error) = sensor.light(light)
        {
            warn!(code = error.code(), "fingerprint lamp");
        }
    }
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
