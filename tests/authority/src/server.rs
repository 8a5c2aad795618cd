//! The exchange over HTTPS: requests of the protocol become calls of the intake, and back.
//! It bounds bodies and requests, adds the server's time to every reply and commits no rule itself.

use std::{
    collections::HashMap,
    future::poll_fn,
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Extension, Router,
    body::{Body, Bytes, HttpBody},
    extract::{ConnectInfo, Path, Request, State},
    http::{HeaderValue, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{
    cbor::Writer,
    door::{Door, DoorError, Peer},
    fault::{Dice, Faults},
    hex,
    intake::{Intake, IntakeError, Kept, Piece},
    keys::{Keys, new_signing_key, signing_key},
    receipt::Receipt,
    refusal::{Code, Refusal, chain},
    store::{Answer, Device},
    updates::{Updates, is_edition, is_variant},
};

/// What an authority is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its data; keys must have been made there.
    pub data: PathBuf,
    /// Where it listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Faults for tests.
    pub faults: Faults,
    /// The seed of the faults.
    pub fault_seed: u64,
}

impl Config {
    /// An honest authority of `data` on a port of its own.
    #[must_use]
    pub fn new(data: PathBuf) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { data, listen, faults: Faults::default(), fault_seed: 0 }
    }
}

/// A running authority; dropping it stops it.
pub struct Authority {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why an authority does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data.
    #[error("the data")]
    Intake(#[from] IntakeError),
    /// The door.
    #[error("the door")]
    Door(#[from] DoorError),
    /// The runtime or its thread.
    #[error("the runtime")]
    Runtime(#[from] io::Error),
}

impl Authority {
    /// Starts an authority on a thread of its own and returns once it listens.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let intake = Intake::open(&config.data)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .max_blocking_threads(BLOCKING_MAX)
            .enable_all()
            .build()?;
        let (ready, listening) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name("authority".to_owned()).spawn(move || {
            runtime.block_on(run(config, intake, ready, stopped));
            runtime.shutdown_timeout(LEAVE_MAX);
        })?;
        let address = listening.recv().map_err(|_| io::Error::other("the runtime died"))??;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server was printed by its own thread.
            let _ = thread.join();
        }
    }
}

async fn run(
    config: Config,
    intake: Intake,
    ready: mpsc::Sender<Result<SocketAddr, DoorError>>,
    stopped: oneshot::Receiver<()>,
) {
    let door = match Door::open(&Keys::at(&config.data), config.listen).await {
        Ok(door) => door,
        Err(fault) => return drop(ready.send(Err(fault))),
    };
    // Nobody who started us is left to hear it if this fails, and then we are stopped too.
    let _ = ready.send(Ok(door.address()));
    let desk = Arc::new(Desk::new(&config, intake));
    let service = routes(desk).into_make_service_with_connect_info::<Peer>();
    let (stop, leave) = oneshot::channel::<()>();
    let serve = axum::serve(door, service).with_graceful_shutdown(async { drop(leave.await) });
    let mut serve = tokio::spawn(serve.into_future());
    tokio::select! {
        ended = &mut serve => tracing::error!(?ended, "the server ended by itself"),
        _ = stopped => {
            drop(stop);
            if tokio::time::timeout(LEAVE_MAX, &mut serve).await.is_err() {
                serve.abort();
            }
        }
    }
}

/// What all requests share.
struct Desk {
    intake: Mutex<Intake>,
    updates: Updates,
    dice: Mutex<Dice>,
    faults: Faults,
    busy: Mutex<HashMap<String, usize>>,
    room: Arc<Semaphore>,
}

/// A body that was read, and its place in the memory that all bodies share.
struct Load {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// One request of a device under way; dropping it makes room for the next.
struct Turn {
    desk: Arc<Desk>,
    device: String,
}

impl Desk {
    fn new(config: &Config, intake: Intake) -> Self {
        Self {
            intake: Mutex::new(intake),
            updates: Updates::at(&config.data),
            dice: Mutex::new(Dice::new(config.fault_seed)),
            faults: config.faults,
            busy: Mutex::default(),
            room: Arc::new(Semaphore::new(ROOM_KIB)),
        }
    }

    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        now.saturating_add(self.faults.clock_offset_ms)
    }

    /// A transaction that panicked was rolled back, so the intake behind the lock is sound.
    fn intake(&self) -> MutexGuard<'_, Intake> {
        self.intake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn falls(&self, share: f64) -> bool {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).falls(share)
    }

    /// The whole body, at most `max` bytes of it, once there is room for them.
    async fn read(&self, body: Body, max: usize) -> Result<Load, Refusal> {
        let announced = body.size_hint().upper().and_then(|length| usize::try_from(length).ok());
        let kib = announced.unwrap_or(max).min(max) / 1024 + 1;
        let kib = u32::try_from(kib).expect("a body's bound is some MiB");
        let room = tokio::time::timeout(ROOM_WAIT, Arc::clone(&self.room).acquire_many_owned(kib));
        let Ok(Ok(room)) = room.await else {
            return Err(busy());
        };
        Ok(Load { bytes: read(body, max).await?, _room: room })
    }

    fn turn(self: &Arc<Self>, device: &str) -> Result<Turn, Refusal> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = busy.entry(device.to_owned()).or_default();
        if *under_way >= REQUESTS_MAX {
            return Err(Code::TooMany.refuse(429, "too many requests of this device at a time"));
        }
        *under_way += 1;
        Ok(Turn { desk: Arc::clone(self), device: device.to_owned() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut busy = self.desk.busy.lock().unwrap_or_else(PoisonError::into_inner);
        match busy.get_mut(&self.device) {
            Some(under_way) if *under_way > 1 => *under_way -= 1,
            _ => drop(busy.remove(&self.device)),
        }
    }
}

fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/v1/time", get(time))
        .route("/v1/batches/{id}", put(offer))
        .route("/v1/batches/{id}/commit", post(commit))
        .route("/v1/records/{id}", put(keep))
        .route("/v1/pictures/{digest}", put(append))
        .route("/v1/receipts/{id}", get(receipt))
        .route("/v1/update", get(update))
        .route("/v1/updates/{digest}", get(update_piece))
        .fallback(|| async { Reply::from(not_the_protocol("no such request")) })
        .method_not_allowed_fallback(|| async { Reply::from(not_the_protocol("no such method")) })
        .layer(middleware::from_fn_with_state(Arc::clone(&desk), admit))
        .with_state(desk)
}

/// Who is it, may they, and does a fault want to happen; then the request, then the time.
async fn admit(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let (mut response, _turn) = match enter(&desk, &peer).await {
        Ok((device, turn)) => {
            request.extensions_mut().insert(device);
            (next.run(request).await, Some(turn))
        }
        Err(fault) => {
            // A client that still sends its body does not hear why it is turned away.
            let _ = read(request.into_body(), 0).await;
            (Reply::from(fault).into_response(), None)
        }
    };
    tokio::time::sleep(desk.faults.slow).await;
    if desk.falls(desk.faults.drop_replies) {
        peer.cut();
    }
    if desk.falls(desk.faults.noise) {
        *response.body_mut() = Body::from(vec![0xff; NOISE_BYTES]);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response.headers_mut().insert("x-server-time", HeaderValue::from(desk.now_ms()));
    response
}

async fn enter(desk: &Arc<Desk>, peer: &Peer) -> Result<(Device, Turn), IntakeError> {
    if desk.falls(desk.faults.drop_requests) {
        peer.cut();
        return Err(busy().into());
    }
    if desk.falls(desk.faults.busy) {
        return Err(busy().into());
    }
    let Some(name) = peer.name.clone() else {
        return Err(Code::UnknownDevice.refuse(401, "the certificate names no device").into());
    };
    let device = with_intake(desk, move |intake, now_ms| intake.admit(&name, now_ms)).await?;
    let turn = desk.turn(&device.id)?;
    Ok((device, turn))
}

async fn time(State(desk): State<Arc<Desk>>) -> Reply {
    Reply::cbor(200, Writer::new().map(1).int(0).int(desk.now_ms()).done())
}

async fn offer(
    State(desk): State<Arc<Desk>>,
    Extension(device): Extension<Device>,
    Path(batch): Path<String>,
    body: Body,
) -> Result<Reply, Reply> {
    let batch = path_bytes(&batch)?;
    let signed = desk.read(body, MANIFEST_BYTES_MAX).await?;
    let answer = with_intake(&desk, move |intake, now_ms| {
        intake.offer(&device, &batch, &signed.bytes, now_ms)
    })
    .await?;
    Ok(Reply::cbor(200, answer_body(&answer)))
}

async fn keep(
    State(desk): State<Arc<Desk>>,
    Extension(device): Extension<Device>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Reply, Reply> {
    let id = path_bytes(&id)?;
    let envelope = desk.read(body, ENVELOPE_BYTES_MAX).await?;
    if desk.falls(desk.faults.refuse_records) {
        return Err(busy().into());
    }
    if desk.falls(desk.faults.spoil_records) {
        return Err(Code::Malformed.refuse(422, "a fault that was asked for").into());
    }
    let kept = with_intake(&desk, move |intake, now_ms| {
        intake.keep(&device, &id, &envelope.bytes, now_ms)
    })
    .await?;
    Ok(Reply::empty(if kept == Kept::New { 201 } else { 200 }))
}

async fn append(
    State(desk): State<Arc<Desk>>,
    Extension(device): Extension<Device>,
    Path(digest): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Reply, Reply> {
    let digest = path_bytes(&digest)?;
    let offset = offset(&uri)?;
    let piece = desk.read(body, PIECE_BYTES_MAX).await?;
    let piece = with_intake(&desk, move |intake, now_ms| {
        intake.append(&device, &digest, offset, &piece.bytes, now_ms)
    })
    .await?;
    let next = |status, next| Reply::cbor(status, Writer::new().map(1).int(0).uint(next).done());
    Ok(match piece {
        Piece::Whole => Reply::empty(201),
        Piece::More(offset) => next(202, offset),
        Piece::Elsewhere(offset) => next(409, offset),
    })
}

async fn commit(
    State(desk): State<Arc<Desk>>,
    Extension(device): Extension<Device>,
    Path(batch): Path<String>,
) -> Result<Reply, Reply> {
    let batch = path_bytes(&batch)?;
    let shared = Arc::clone(&desk);
    let receipts = with_intake(&desk, move |intake, now_ms| {
        let receipts = intake.commit(&device, &batch, now_ms)?;
        Ok(bend_receipts(&shared, intake, receipts))
    })
    .await?;
    Ok(Reply::cbor(
        200,
        Writer::new().list(&receipts, |writer, receipt| writer.bytes(receipt)).done(),
    ))
}

async fn receipt(
    State(desk): State<Arc<Desk>>,
    Extension(device): Extension<Device>,
    Path(id): Path<String>,
) -> Result<Reply, Reply> {
    let id = path_bytes(&id)?;
    let body = with_intake(&desk, move |intake, _| intake.receipt(&device, &id)).await?;
    Ok(Reply { status: 200, content_type: "application/cose", body, retry_after: false })
}

async fn update(
    State(desk): State<Arc<Desk>>,
    Extension(device): Extension<Device>,
    uri: Uri,
) -> Result<Reply, Reply> {
    let (variant, edition) = kind_and_edition(&uri)?;
    let offered = with_updates(&desk, move |updates| updates.current(&variant, &device.id)).await?;
    let Some(offered) = offered.filter(|offered| offered.edition != edition) else {
        return Ok(Reply::empty(204));
    };
    let digest: [u8; 32] = hex::decode_exact(&offered.sha256)
        .ok_or_else(|| IntakeError::from(io::Error::other("an offer without a digest")))?;
    let body = Writer::new().map(3).int(0).text(&offered.edition).int(1).uint(offered.size);
    Ok(Reply::cbor(200, body.int(2).bytes(&digest).done()))
}

async fn update_piece(
    State(desk): State<Arc<Desk>>,
    Path(digest): Path<String>,
    uri: Uri,
) -> Result<Reply, Reply> {
    let digest = path_bytes(&digest)?;
    let (offset, most) = offset_and_most(&uri)?;
    match with_updates(&desk, move |updates| updates.piece(&digest, offset, most)).await? {
        Some(body) => {
            Ok(Reply { content_type: "application/octet-stream", body, ..Reply::empty(200) })
        }
        None => Err(Code::UnknownUpdate.refuse(404, "no such update is offered").into()),
    }
}

/// Receipts as the faults that were asked for would have them.
fn bend_receipts(desk: &Desk, intake: &Intake, receipts: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let faults = &desk.faults;
    let mut bent = Vec::with_capacity(receipts.len());
    for receipt in receipts {
        if desk.falls(faults.omit_receipts) {
            continue;
        }
        let lie = if desk.falls(faults.forge_receipts) {
            new_signing_key()
                .ok()
                .as_deref()
                .and_then(signing_key)
                .and_then(|key| Receipt::read(&receipt).map(|honest| honest.sign(&key)))
        } else if desk.falls(faults.wrong_receipts) {
            Receipt::read(&receipt).map(|mut lie| {
                lie.digest[0] ^= 1;
                lie.sign(intake.receipt_key())
            })
        } else {
            None
        };
        bent.push(lie.unwrap_or(receipt));
    }
    bent
}

/// Runs `work` where it may wait for the disk. A panic in it is our fault and this request's only.
async fn with_intake<T: Send + 'static>(
    desk: &Arc<Desk>,
    work: impl FnOnce(&mut Intake, i64) -> Result<T, IntakeError> + Send + 'static,
) -> Result<T, IntakeError> {
    let shared = Arc::clone(desk);
    let done = tokio::task::spawn_blocking(move || {
        let now_ms = shared.now_ms();
        work(&mut shared.intake(), now_ms)
    });
    match done.await {
        Ok(result) => result,
        Err(panic) => Err(io::Error::other(panic).into()),
    }
}

/// Reads among the updates where that may wait for the disk, and keeps no record waiting.
async fn with_updates<T: Send + 'static>(
    desk: &Arc<Desk>,
    work: impl FnOnce(&Updates) -> io::Result<T> + Send + 'static,
) -> Result<T, IntakeError> {
    let updates = desk.updates.clone();
    let done = tokio::task::spawn_blocking(move || work(&updates)).await;
    Ok(done.map_err(io::Error::other)??)
}

/// The whole body, at most `max` bytes of it kept.
async fn read(mut body: Body, max: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut total = 0_usize;
    while let Some(data) = next_data(&mut body).await? {
        total += data.len();
        if total > max + DRAINED_MAX {
            break;
        }
        // A client that still sends does not hear the refusal, so a little more is let run out.
        if total <= max {
            bytes.extend_from_slice(&data);
        }
    }
    if total > max {
        Err(Code::TooLarge.refuse(413, format!("more than {max} bytes")))
    } else {
        Ok(bytes)
    }
}

async fn next_data(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => return Ok(None),
            Some(Err(_)) => return Err(not_the_protocol("the body ended early")),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn path_bytes<const N: usize>(text: &str) -> Result<[u8; N], Refusal> {
    hex::decode_exact(text).ok_or_else(|| not_the_protocol("the path has no such name"))
}

fn offset(uri: &Uri) -> Result<u64, Refusal> {
    let digits = uri.query().and_then(|query| query.strip_prefix("offset="));
    digits.and_then(number).ok_or_else(|| not_the_protocol("a piece needs its offset"))
}

fn offset_and_most(uri: &Uri) -> Result<(u64, u64), Refusal> {
    let both = uri.query().and_then(|query| query.strip_prefix("offset=")?.split_once("&most="));
    both.and_then(|(offset, most)| Some((number(offset)?, number(most).filter(|&most| most > 0)?)))
        .ok_or_else(|| not_the_protocol("a piece needs its offset and its length"))
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// `variant=V&edition=E`.
fn kind_and_edition(uri: &Uri) -> Result<(String, String), Refusal> {
    let query = uri.query().unwrap_or_default();
    let both = query.strip_prefix("variant=").and_then(|rest| rest.split_once("&edition="));
    let both = both.filter(|(variant, edition)| is_variant(variant) && is_edition(edition));
    both.map(|(variant, edition)| (variant.to_owned(), edition.to_owned()))
        .ok_or_else(|| not_the_protocol("an update is for a variant and an edition"))
}

fn answer_body(answer: &Answer) -> Vec<u8> {
    Writer::new()
        .map(3)
        .int(0)
        .list(&answer.records, |writer, id| writer.bytes(id))
        .int(1)
        .list(&answer.pictures, |writer, digest| writer.bytes(digest))
        .int(2)
        .list(&answer.refused, |writer, (id, code)| writer.array(2).bytes(id).text(code))
        .done()
}

fn not_the_protocol(text: &str) -> Refusal {
    Code::NotTheProtocol.refuse(400, text)
}

fn busy() -> Refusal {
    Code::Busy.refuse(503, "not now")
}

/// A reply without the time, which every reply is given on its way out.
struct Reply {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    retry_after: bool,
}

impl Reply {
    fn cbor(status: u16, body: Vec<u8>) -> Self {
        Self { status, content_type: "application/cbor", body, retry_after: false }
    }

    fn empty(status: u16) -> Self {
        Self::cbor(status, Vec::new())
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self { retry_after: refusal.is_passing(), ..Self::cbor(refusal.status, refusal.body()) }
    }
}

impl From<IntakeError> for Reply {
    fn from(fault: IntakeError) -> Self {
        match fault {
            IntakeError::Refused(refusal) => refusal.into(),
            other => {
                tracing::error!(fault = chain(&other), "a request failed by our own fault");
                Code::Fault.refuse(500, "the authority's own fault").into()
            }
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).expect("our statuses are valid");
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        response
    }
}

const MANIFEST_BYTES_MAX: usize = 512 << 10;
const ENVELOPE_BYTES_MAX: usize = 4 << 20;
const PIECE_BYTES_MAX: usize = 1 << 20;
/// How much of a body that is too large is still read and thrown away.
const DRAINED_MAX: usize = 5 << 20;
/// Requests of one device at a time.
const REQUESTS_MAX: usize = 4;
/// Memory for the bodies of all requests under way, in KiB.
const ROOM_KIB: usize = 64 << 10;
const ROOM_WAIT: Duration = Duration::from_secs(10);
const RETRY_AFTER_S: &str = "1";
const NOISE_BYTES: usize = 64;
const WORKERS: usize = 2;
const BLOCKING_MAX: usize = 16;
const LEAVE_MAX: Duration = Duration::from_secs(5);
