//! A counter in this process, and links to its devices on a clock of its own.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use device_sim::counter::{Counter, Roster};
use device_sim::script::{DeviceName, Order};
use drivers::link::{Link, LinkError};
use drivers::{fingerprint, id_card, printer};

pub(crate) const N_PEOPLE: u32 = 8;

/// The people of these tests.
pub(crate) fn roster() -> Arc<Roster> {
    static ROSTER: OnceLock<Arc<Roster>> = OnceLock::new();
    Arc::clone(ROSTER.get_or_init(|| Arc::new(Roster::new(7, N_PEOPLE))))
}

/// A counter whose time moves only when a link waits.
#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<State>>);

struct State {
    counter: Counter,
    began: Instant,
    now: Duration,
    plugged: [bool; 3],
    unplugged_once: [bool; 3],
    host_baud_hz: [u32; 3],
    inbox: [Vec<u8>; 3],
    script: VecDeque<(Duration, Order)>,
    n_bytes: usize,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            counter: Counter::with_roster(seed, true, roster()),
            began: Instant::now(),
            now: Duration::ZERO,
            plugged: [true; 3],
            unplugged_once: [false; 3],
            host_baud_hz: [115_200; 3],
            inbox: Default::default(),
            script: VecDeque::new(),
            n_bytes: 0,
        })))
    }

    /// Carries out an order now.
    pub(crate) fn order(&self, line: &str) {
        let order: Order = line.parse().unwrap();
        self.state().obey(&order);
    }

    /// Carries out an order when the clock gets there; orders are given by rising time.
    pub(crate) fn later(&self, at: Duration, order: Order) {
        self.state().script.push_back((at, order));
    }

    pub(crate) fn now(&self) -> Duration {
        self.state().now
    }

    pub(crate) fn instant(&self, from_now: Duration) -> Instant {
        let state = self.state();
        state.began + state.now + from_now
    }

    pub(crate) fn pass(&self, time: Duration) {
        let mut state = self.state();
        let until = state.now + time;
        state.run_to(until);
    }

    /// Bytes that went from the devices to the host.
    pub(crate) fn n_bytes(&self) -> usize {
        self.state().n_bytes
    }

    pub(crate) fn link(&self, name: DeviceName) -> Box<dyn Link> {
        Box::new(SimLink { world: self.clone(), which: name as usize })
    }

    pub(crate) fn reader(&self) -> Result<id_card::Reader, id_card::ReaderError> {
        id_card::Reader::over(self.link(DeviceName::IdCard), id_card::Settings::default())
    }

    pub(crate) fn sensor(&self) -> Result<fingerprint::Sensor, fingerprint::SensorError> {
        let settings = fingerprint::Settings::default();
        fingerprint::Sensor::over(self.link(DeviceName::Fingerprint), settings)
    }

    pub(crate) fn printer(&self) -> printer::Printer {
        printer::Printer::over(self.link(DeviceName::Printer), printer::Settings::default())
    }

    pub(crate) fn take_printed(&self) -> Vec<u8> {
        self.state().counter.printer.device.take_printed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn obey(&mut self, order: &Order) {
        let now = self.now;
        match order {
            Order::Unplug(name) => {
                let which = *name as usize;
                self.plugged[which] = false;
                self.unplugged_once[which] = true;
                self.inbox[which].clear();
                match name {
                    DeviceName::IdCard => self.counter.id_card.unplug(),
                    DeviceName::Fingerprint => self.counter.fingerprint.unplug(),
                    DeviceName::Printer => self.counter.printer.unplug(),
                }
            }
            Order::Replug(name) => {
                self.plugged[*name as usize] = true;
                let silence = Order::Silence(*name, Duration::from_millis(300));
                self.counter.obey(&silence, now).unwrap();
            }
            // A swap with no card there is no swap.
            other => {
                let _ = self.counter.obey(other, now);
            }
        }
    }

    /// Moves the clock, carrying out what falls due on the way.
    fn run_to(&mut self, until: Duration) {
        while self.script.front().is_some_and(|(at, _)| *at <= until) {
            let (at, order) = self.script.pop_front().unwrap();
            self.now = self.now.max(at);
            self.collect();
            self.obey(&order);
        }
        self.now = self.now.max(until);
        self.collect();
    }

    fn collect(&mut self) {
        let (now, baud) = (self.now, self.host_baud_hz);
        let counter = &mut self.counter;
        let arrived = [
            counter.id_card.arrived(baud[0], now),
            counter.fingerprint.arrived(baud[1], now),
            counter.printer.arrived(baud[2], now),
        ];
        for (inbox, bytes) in self.inbox.iter_mut().zip(arrived) {
            self.n_bytes += bytes.len();
            inbox.extend(bytes);
        }
    }

    fn next_due(&self, which: usize) -> Option<Duration> {
        let of_device = match which {
            0 => self.counter.id_card.next_due(),
            1 => self.counter.fingerprint.next_due(),
            _ => self.counter.printer.next_due(),
        };
        let of_script = self.script.front().map(|(at, _)| *at);
        of_device.into_iter().chain(of_script).min()
    }
}

/// One device's link. An unplugged device is gone until it is reopened.
struct SimLink {
    world: World,
    which: usize,
}

impl SimLink {
    fn check_plugged(&self, state: &State) -> Result<(), LinkError> {
        match state.unplugged_once[self.which] {
            true => Err(LinkError::Gone(io::ErrorKind::BrokenPipe.into())),
            false => Ok(()),
        }
    }
}

impl Link for SimLink {
    fn read(&mut self, into: &mut [u8], deadline: Instant) -> Result<usize, LinkError> {
        let mut state = self.world.state();
        let deadline = deadline.saturating_duration_since(state.began);
        loop {
            let now = state.now;
            state.run_to(now);
            self.check_plugged(&state)?;
            let inbox = &mut state.inbox[self.which];
            if !inbox.is_empty() {
                let n = inbox.len().min(into.len());
                into[..n].copy_from_slice(&inbox[..n]);
                inbox.drain(..n);
                return Ok(n);
            }
            if now >= deadline {
                return Ok(0);
            }
            let next = state.next_due(self.which).unwrap_or(deadline);
            state.run_to(next.clamp(now, deadline));
        }
    }

    fn write_all(&mut self, bytes: &[u8], _deadline: Instant) -> Result<(), LinkError> {
        let mut state = self.world.state();
        self.check_plugged(&state)?;
        let baud_hz = state.host_baud_hz[self.which];
        let on_wire = device_sim::line::wire_time(bytes.len(), baud_hz);
        let arrives = state.now + on_wire;
        state.run_to(arrives);
        let now = state.now;
        match self.which {
            0 => state.counter.id_card.receive(bytes, baud_hz, now),
            1 => state.counter.fingerprint.receive(bytes, baud_hz, now),
            _ => state.counter.printer.receive(bytes, baud_hz, now),
        }
        Ok(())
    }

    fn flush_input(&mut self) -> Result<(), LinkError> {
        let mut state = self.world.state();
        let now = state.now;
        state.run_to(now);
        self.check_plugged(&state)?;
        state.inbox[self.which].clear();
        Ok(())
    }

    fn set_baud(&mut self, baud_hz: u32) -> Result<(), LinkError> {
        let mut state = self.world.state();
        self.check_plugged(&state)?;
        state.host_baud_hz[self.which] = baud_hz;
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), LinkError> {
        let mut state = self.world.state();
        if !state.plugged[self.which] {
            return Err(LinkError::NotThere(io::ErrorKind::NotFound.into()));
        }
        state.unplugged_once[self.which] = false;
        state.inbox[self.which].clear();
        Ok(())
    }

    fn now(&self) -> Instant {
        let state = self.world.state();
        state.began + state.now
    }

    fn pause(&mut self, time: Duration) {
        self.world.pass(time);
    }
}
