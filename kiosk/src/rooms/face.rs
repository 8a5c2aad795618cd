//! The camera and the face networks: preview and coaching while it happens, the best frames kept, liveness shown
//! gently first, then compared.

mod coach;
mod papers;
mod session;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use drivers::camera::{Camera, Frame};
use image::RgbImage;
use kiosk_core::event::{Action, Event, FaceEvent, FacePurpose, Picture, Sitting};
use kiosk_core::message::Id;
use models::Manifest;
use models::face::FaceEngine;
use tracing::{info, warn};

use crate::happening::{Happening, Teller};
use crate::tray::SharedTray;
use papers::Taking;
use session::{Session, Step};

/// What the room is asked to do.
pub enum Order {
    /// Watch a face.
    Watch {
        /// Named by the answers.
        sitting: Sitting,
        /// Verify or enrol.
        purpose: FacePurpose,
        /// How a sign of life is looked for.
        liveness: LivenessRule,
    },
    /// Show the camera, for documents.
    Preview {
        /// The person holds it beside the face.
        is_held: bool,
    },
    /// Keep the next sharp frame under this role.
    Take(Sitting, Picture),
    /// Stop.
    Stop,
    /// Let go of the camera for a while.
    Lend(super::Loan),
}

/// How a sign of life is looked for.
pub struct LivenessRule {
    /// Actions to ask for, in this order.
    pub actions: Vec<Action>,
    /// Time for each.
    pub time: Duration,
    /// Nothing is asked for when the passive score convinces.
    pub passive: bool,
}

/// Opens a camera. The desk build puts a simulated one here.
pub type OpenCamera = Box<dyn Fn() -> Result<Box<dyn Camera>, Id> + Send>;

/// The cameras by what they look at.
pub struct Eyes {
    person: Eye,
    /// Where there is none, papers are held before the other one.
    desk: Option<Eye>,
}

struct Eye {
    what: Id,
    open: OpenCamera,
    camera: Option<Box<dyn Camera>>,
    /// A frame came since it was opened, and that was told.
    works: bool,
}

/// The room.
pub struct FaceRoom {
    eyes: Eyes,
    models: PathBuf,
    engine: Option<(FaceEngine, Manifest)>,
    reader: papers::Reader,
    teller: Teller,
    tray: SharedTray,
    doing: Doing,
}

enum Doing {
    Nothing,
    Preview { is_held: bool },
    Taking(Sitting, Picture, Box<Taking>),
    Watching(Sitting, Box<Session>),
}

impl Eyes {
    /// Cameras that are opened when they are wanted.
    pub fn new(person: OpenCamera, desk: Option<OpenCamera>) -> Self {
        let eye = |what, open| Eye { what, open, camera: None, works: false };
        let desk = desk.map(|open| eye(Id::DeviceDocumentCamera, open));
        Self { person: eye(Id::DeviceCamera, person), desk }
    }

    /// Papers lie on the desk, unless the person holds them beside the face; doors and people stand before the other.
    fn for_(&mut self, doing: &Doing) -> &mut Eye {
        let lies_flat = match doing {
            Doing::Preview { is_held } => !is_held,
            Doing::Taking(_, role, _) => {
                matches!(role, Picture::IdFront | Picture::IdBack | Picture::Paper)
            }
            Doing::Nothing | Doing::Watching(..) => false,
        };
        match &mut self.desk {
            Some(desk) if lies_flat => desk,
            _ => &mut self.person,
        }
    }

    fn close(&mut self) {
        self.person.camera = None;
        if let Some(desk) = &mut self.desk {
            desk.camera = None;
        }
    }
}

impl FaceRoom {
    /// A room whose networks are not loaded yet.
    pub fn new(eyes: Eyes, models: PathBuf, teller: Teller, tray: SharedTray) -> Self {
        Self {
            eyes,
            models,
            engine: None,
            reader: papers::Reader::default(),
            teller,
            tray,
            doing: Doing::Nothing,
        }
    }

    /// Works until nobody gives orders any more.
    pub fn run(mut self, orders: &Receiver<Order>) {
        self.load();
        loop {
            let order = match self.doing {
                Doing::Nothing => match orders.recv() {
                    Ok(order) => Some(order),
                    Err(_) => return,
                },
                _ => match orders.try_recv() {
                    Ok(order) => Some(order),
                    Err(TryRecvError::Empty) => None,
                    Err(TryRecvError::Disconnected) => return,
                },
            };
            match order {
                Some(order) => self.obey(order),
                None => self.turn(),
            }
        }
    }

    /// A kiosk without face networks still serves by finger and by appeal, and says so.
    fn load(&mut self) {
        let started = Instant::now();
        let loaded = Manifest::of(&self.models)
            .and_then(|manifest| Ok((FaceEngine::load(&self.models, &manifest)?, manifest)));
        match loaded {
            Ok(engine) => {
                info!(ms = started.elapsed().as_millis(), "face networks loaded");
                self.engine = Some(engine);
                self.teller.device(Id::DeviceModels, None);
            }
            Err(error) => {
                warn!(%error, "face networks");
                self.teller.device(Id::DeviceModels, Some(Id::ErrFaceModelMissing));
            }
        }
    }

    fn obey(&mut self, order: Order) {
        self.doing = match order {
            Order::Stop => Doing::Nothing,
            Order::Lend(loan) => {
                self.eyes.close();
                loan.wait();
                Doing::Nothing
            }
            Order::Preview { is_held } => {
                self.reader.load(&self.models);
                Doing::Preview { is_held }
            }
            Order::Take(sitting, role) => Doing::Taking(sitting, role, Box::new(Taking::new(role))),
            Order::Watch { sitting, purpose, liveness } => match &self.engine {
                None => {
                    self.tell(sitting, FaceEvent::Failed(Id::ErrFaceModelMissing));
                    Doing::Nothing
                }
                Some((engine, manifest)) => {
                    let references = session::References::of(engine, manifest, &self.tray, purpose);
                    let session = Session::new(purpose, liveness, references, manifest, engine);
                    Doing::Watching(sitting, Box::new(session))
                }
            },
        };
    }

    fn turn(&mut self) {
        let frame = match self.frame() {
            Ok(frame) => frame,
            Err(err) => return self.camera_failed(err),
        };
        self.teller.tell(Happening::Preview(frame.image.clone()));
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Nothing => {}
            preview @ Doing::Preview { .. } => self.doing = preview,
            Doing::Taking(sitting, role, taking) => self.take(sitting, role, taking, frame.image),
            Doing::Watching(sitting, session) => self.watch(sitting, session, &frame),
        }
    }

    fn frame(&mut self) -> Result<Frame, Id> {
        let eye = self.eyes.for_(&self.doing);
        if eye.camera.is_none() {
            eye.camera = Some((eye.open)()?);
            eye.works = false;
        }
        let camera = eye.camera.as_mut().expect("opened above");
        let frame = camera.latest(Instant::now() + FRAME_TIME);
        match frame {
            Ok(frame) => {
                if !std::mem::replace(&mut eye.works, true) {
                    let latency_ms = frame.latency.map(|latency| latency.as_millis());
                    info!(device = eye.what.name(), latency_ms, "camera gives frames");
                    self.teller.device(eye.what, None);
                }
                Ok(frame)
            }
            Err(error) => {
                warn!(code = error.code(), "camera");
                Err(Id::ErrCameraSilent)
            }
        }
    }

    /// The camera is opened anew at the next order; meanwhile the visit has other ways.
    fn camera_failed(&mut self, err: Id) {
        let eye = self.eyes.for_(&self.doing);
        eye.camera = None;
        self.teller.device(eye.what, Some(err));
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Watching(sitting, _) => self.tell(sitting, FaceEvent::Failed(err)),
            Doing::Taking(sitting, ..) => self.teller.event(Event::Document(sitting, Err(err))),
            Doing::Preview { .. } | Doing::Nothing => {}
        }
    }

    fn tell(&self, sitting: Sitting, event: FaceEvent) {
        self.teller.event(Event::Face(sitting, event));
    }

    fn take(&mut self, sitting: Sitting, role: Picture, mut taking: Box<Taking>, frame: RgbImage) {
        let faces = self.engine.as_ref().map(|(engine, _)| engine);
        let step = taking.see(faces, frame).unwrap_or_else(|error| {
            warn!(%error, "face networks");
            papers::Step::NotTaken(Id::ErrFaceModelMissing)
        });
        self.doing = Doing::Preview { is_held: role == Picture::IdInHand };
        match step {
            papers::Step::More(hint) => {
                if let Some(hint) = hint {
                    self.teller.event(Event::Document(sitting, Err(hint)));
                }
                self.doing = Doing::Taking(sitting, role, taking);
            }
            papers::Step::NotTaken(why) => self.teller.event(Event::Document(sitting, Err(why))),
            papers::Step::Taken(picture) => self.taken(sitting, role, picture),
        }
    }

    /// A side of the card is read before it is told of, so that nobody goes on with another person's card.
    fn taken(&self, sitting: Sitting, role: Picture, picture: RgbImage) {
        let is_card = matches!(role, Picture::IdFront | Picture::IdBack);
        let reading = if is_card { self.reader.read(&picture) } else { None };
        let reading = reading.or_else(|| papers::doubted(role, &picture));
        if let Some(mut tray) = self.tray.open_for(sitting.visit) {
            tray.keep(role, &picture);
        }
        self.teller.event(match reading {
            Some(reading) => Event::DocumentRead(sitting, Box::new(reading)),
            None => Event::Document(sitting, Ok(())),
        });
    }

    fn watch(&mut self, sitting: Sitting, mut session: Box<Session>, frame: &Frame) {
        let (engine, _) = self.engine.as_ref().expect("a session starts only with networks");
        match session.see(engine, &frame.image) {
            Ok(Step::More { coaching, progress }) => {
                self.tell(sitting, FaceEvent::Seen { coaching, progress });
                self.doing = Doing::Watching(sitting, session);
            }
            Ok(Step::Done(taken)) => {
                if let Some(mut tray) = self.tray.open_for(sitting.visit) {
                    tray.keep(Picture::LiveFace, &taken.best);
                    tray.later_view = taken.later_view;
                    if taken.reference.is_some() {
                        tray.new_face = taken.reference;
                    }
                }
                self.tell(sitting, FaceEvent::Taken(taken.comparisons));
            }
            Ok(Step::TimedOut(why)) => self.tell(sitting, FaceEvent::TimedOut(why)),
            Err(error) => {
                warn!(%error, "face networks");
                self.tell(sitting, FaceEvent::Failed(Id::ErrFaceModelMissing));
            }
        }
    }
}

/// A camera that gives nothing for so long has stalled.
const FRAME_TIME: Duration = Duration::from_secs(3);
