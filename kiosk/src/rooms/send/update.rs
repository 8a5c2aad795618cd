//! Updates: asked for and fetched piece by piece when no record waits, and left where root takes them at night. Who signed
//! them is asked by root, not here.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kiosk_sync::Transport;
use kiosk_sync::update::{
    Bundle, Fetched, PIECE_BYTES_MAX, Parts, UpdateError, fetch, is_edition, offered,
};
use sha2::{Digest, Sha256};
use tracing::{info, warn};

use crate::config::UpdateConfig;
use crate::health::devices::found_good;
use crate::hex;
use crate::vault::Vault;

/// What is known of updates.
pub struct Updates {
    config: UpdateConfig,
    /// Where the health check remembers which edition it found good.
    state: PathBuf,
    /// The edition that runs.
    edition: String,
    /// What is being fetched.
    wanted: Option<Bundle>,
    /// Bytes in the next piece: what the line carries in some seconds.
    most: u64,
    /// When the authority is asked again; none: at once.
    due: Option<Instant>,
    /// The edition that was last told to lie ready.
    told: Option<String>,
}

impl Updates {
    /// None where this terminal does not know what it runs, or has no place for an update.
    pub fn new(config: &UpdateConfig, state: &Path) -> Option<Self> {
        let told = fs::read_to_string(&config.edition_file).unwrap_or_default();
        let edition = told.trim().to_owned();
        if !is_edition(&edition) {
            warn!(file = %config.edition_file.display(), "no edition in it: no updates");
            return None;
        }
        if let Err(problem) = DirBuilder::new().recursive(true).mode(0o700).create(&config.folder) {
            warn!(%problem, folder = %config.folder.display(), "no place for updates");
            return None;
        }
        Some(Self {
            config: config.clone(),
            state: state.into(),
            edition,
            wanted: None,
            most: PIECE_BYTES_MAX,
            due: None,
            told: None,
        })
    }

    /// Asks where it is time to, and fetches a few pieces, until `interrupted` says that somebody else wants the line.
    /// Whether more can be fetched at once.
    pub fn go_on(
        &mut self,
        transport: &mut dyn Transport,
        vault: &Vault,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> bool {
        self.forget_what_serves(vault);
        if let Err(problem) = self.ask(transport, vault) {
            warn!(code = problem.code(), %problem, "updates");
        }
        for _ in 0..PIECES_A_TURN {
            let Some(bundle) = &self.wanted else {
                return false;
            };
            let mut folder = Folder::of(&self.config.folder, vault);
            let began = Instant::now();
            let fetched = fetch(transport, &mut folder, bundle, self.most);
            self.most = next_most(self.most, &fetched, began.elapsed());
            match fetched {
                Ok(Fetched::More) if interrupted() => return true,
                Ok(Fetched::More) => {}
                Ok(Fetched::Whole) => {
                    self.hand_over(vault);
                    return false;
                }
                Err(problem) => {
                    warn!(code = problem.code(), %problem, edition = bundle.edition, "update");
                    if !problem.is_passing() {
                        self.wanted = None;
                    }
                    return false;
                }
            }
        }
        true
    }

    /// The edition that lies ready for the night, or that none does any more; none where that was told before.
    pub fn news(&mut self, vault: &Vault) -> Option<Option<String>> {
        let lies_ready = self.ready().exists();
        let ready = HandedOver::read(vault).filter(|_| lies_ready).map(|known| known.edition);
        if self.told == ready {
            return None;
        }
        self.told.clone_from(&ready);
        Some(ready)
    }

    /// What was handed over, runs and was found good is done with: should a damaged slot bring the edition before back,
    /// it is fetched again.
    fn forget_what_serves(&self, vault: &Vault) {
        // Not as soon as it runs: so does an edition on trial. Of one that does not pass, root keeps the digest and would
        // leave out what was fetched a second time.
        if found_good(&self.state).is_some_and(|good| good == self.edition)
            && HandedOver::read(vault).is_some_and(|it| it.edition == self.edition)
        {
            HandedOver::forget(vault);
        }
    }

    fn ask(&mut self, transport: &mut dyn Transport, vault: &Vault) -> Result<(), UpdateError> {
        let now = Instant::now();
        if self.due.is_some_and(|due| now < due) {
            return Ok(());
        }
        let offer = offered(transport, &self.config.variant, &self.edition);
        let asked_well = !matches!(offer, Err(UpdateError::Transport(_) | UpdateError::Busy(_)));
        self.due = asked_well.then(|| now + Duration::from_secs(self.config.every_s));
        let Some(bundle) = offer? else {
            self.wanted = None;
            return Ok(self.clear(vault)?);
        };
        let folder = Folder::of(&self.config.folder, vault);
        // What lies there whole and has not its name yet was cut short between the two steps of handing it over.
        let is_handed_over = HandedOver::read(vault).is_some_and(|it| it.digest == bundle.digest)
            && !folder.part(&bundle.digest).exists();
        if is_handed_over {
            self.wanted = None;
        } else if self.wanted.as_ref() != Some(&bundle) {
            info!("update edition={:?} offered, {} bytes", bundle.edition, bundle.size);
            self.wanted = Some(bundle);
        }
        Ok(())
    }

    /// Gives the whole the name under which root looks for it, and remembers that. What root refuses, or what does not
    /// pass its trial, is not fetched again.
    fn hand_over(&mut self, vault: &Vault) {
        let Some(bundle) = self.wanted.take() else {
            return;
        };
        let part = Folder::of(&self.config.folder, vault).part(&bundle.digest);
        // Remembered first: after a power cut between the two it lies there as a part and is renamed then.
        HandedOver { digest: bundle.digest, edition: bundle.edition.clone() }.keep(vault);
        let renamed = fs::rename(part, self.ready())
            .and_then(|()| File::open(&self.config.folder)?.sync_all());
        match renamed {
            Ok(()) => info!("update edition={:?} fetched", bundle.edition),
            Err(problem) => warn!(%problem, edition = bundle.edition, "update"),
        }
    }

    /// Nothing is offered, or what runs: what lies here is of no use. Should it be offered again, it is fetched again.
    fn clear(&self, vault: &Vault) -> io::Result<()> {
        Folder::of(&self.config.folder, vault).remove()?;
        if self.ready().exists() {
            fs::remove_file(self.ready())?;
            HandedOver::forget(vault);
            info!("an update that was not installed is no longer offered");
        }
        Ok(())
    }

    fn ready(&self) -> PathBuf {
        self.config.folder.join("update.raucb")
    }
}

/// A record that comes while a piece is under way waits for its end, and a piece that takes too long never comes.
fn next_most(most: u64, fetched: &Result<Fetched, UpdateError>, took: Duration) -> u64 {
    let next = match fetched {
        Err(UpdateError::Transport(_)) => most / 2,
        _ if took > PIECE_TIME_MAX => most / 2,
        _ if took < PIECE_TIME_MAX / 4 => most * 2,
        _ => most,
    };
    next.clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX)
}

/// The last update that was left for root: 32 bytes of digest, then the edition.
struct HandedOver {
    digest: [u8; 32],
    edition: String,
}

impl HandedOver {
    fn read(vault: &Vault) -> Option<Self> {
        let known = vault.store().meta(UPDATE).ok()??;
        let (digest, edition) = known.split_first_chunk()?;
        Some(Self { digest: *digest, edition: String::from_utf8(edition.to_vec()).ok()? })
    }

    fn keep(&self, vault: &Vault) {
        Self::put(vault, &[&self.digest[..], self.edition.as_bytes()].concat());
    }

    fn forget(vault: &Vault) {
        Self::put(vault, &[]);
    }

    fn put(vault: &Vault, known: &[u8]) {
        if let Err(problem) = vault.store().set_meta(UPDATE, known) {
            warn!(code = problem.code(), "what is known of updates");
        }
    }
}

/// A bundle that comes, in a file named after its digest.
struct Folder<'a> {
    folder: &'a Path,
    vault: &'a Vault,
    /// The file, once it is known which.
    part: PathBuf,
}

impl<'a> Folder<'a> {
    fn of(folder: &'a Path, vault: &'a Vault) -> Self {
        Self { folder, vault, part: PathBuf::new() }
    }

    fn part(&self, digest: &[u8; 32]) -> PathBuf {
        self.folder.join(format!("{}.{PART}", hex::encode(digest)))
    }

    fn remove_all_but(&self, keep: Option<&Path>) -> io::Result<()> {
        for entry in fs::read_dir(self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|kind| kind == PART) && Some(&*path) != keep {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

impl Parts for Folder<'_> {
    fn kept(&mut self, digest: &[u8; 32]) -> io::Result<u64> {
        self.part = self.part(digest);
        self.remove_all_but(Some(&self.part))?;
        match fs::metadata(&self.part) {
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(0),
            known => Ok(known?.len()),
        }
    }

    fn room(&mut self) -> io::Result<u64> {
        self.vault.store().spare_bytes().map_err(io::Error::other)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.part)?;
        file.write_all(bytes)?;
        file.sync_data()
    }

    fn digest(&mut self) -> io::Result<[u8; 32]> {
        let (mut file, mut sum) = (File::open(&self.part)?, Sha256::new());
        let mut bytes = vec![0; 1 << 20];
        loop {
            match file.read(&mut bytes)? {
                0 => return Ok(sum.finalize().into()),
                n => sum.update(&bytes[..n]),
            }
        }
    }

    fn remove(&mut self) -> io::Result<()> {
        self.remove_all_but(None)
    }
}

/// Name under which the store keeps what was handed over.
const UPDATE: &str = "update";
const PART: &str = "part";
/// What a record may have to wait for.
const PIECE_TIME_MAX: Duration = Duration::from_secs(20);
const PIECE_BYTES_MIN: u64 = 32 << 10;
/// Between two looks at what else is to be done on the line.
const PIECES_A_TURN: u32 = 4;

#[cfg(test)]
mod tests;
