//! A signing key in a token (smart card, HSM, SoftHSM2) that is spoken to through its PKCS#11 module. Each signing thread has a session of its own while it
//! signs. A token that is lost is an outage: sessions and module are let go and opened anew at the next attempt. A wrong PIN is never tried twice: tokens lock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use super::OpenFault;
use super::pem::{KeyProblem, read_private};
use crate::crypto::algorithm::Algorithm;
use crate::crypto::certificate::Certificate;
use crate::crypto::sha256;
use crate::domain::outage::{Outage, Part};
use crate::ports::signer::Signer;

/// How often one signature is tried: with a session at hand, and with a new one when that was lost.
const ATTEMPTS: usize = 2;
/// Sessions kept open while nobody signs: more threads than this do not sign at once on any machine that a token keeps up with.
const IDLE_SESSIONS: usize = 64;

/// A key in a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPlace {
    /// The module, a shared library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The private key's label.
    pub key: String,
    /// A file with the PIN, readable by Arkki alone.
    pub pin_file: PathBuf,
}

/// Signs with a key that never leaves its token.
pub struct TokenSigner {
    place: TokenPlace,
    pin: AuthPin,
    certificate: Arc<Certificate>,
    algorithm: Algorithm,
    hands: Mutex<Hands>,
}

#[derive(Default)]
struct Hands {
    idle: Vec<Live>,
    /// Which of the module's lives the idle sessions are of; a session of an earlier one is not kept.
    life: u64,
    /// Set once a PIN was refused: the next try could lock the token.
    closed: Option<String>,
}

/// A session with the key found in it. The session goes before the module: fields are dropped in their order.
struct Live {
    session: Session,
    key: ObjectHandle,
    life: u64,
    _module: Arc<Module>,
}

/// An initialised module: one in a process, however many keys are in it. Finalised when the last session is gone, so that a token that came back is seen.
struct Module {
    context: Pkcs11,
}

impl Drop for Module {
    fn drop(&mut self) {
        // A module that cannot be finalised says so again when it is initialised.
        let _left = self.context.clone().finalize();
    }
}

static MODULES: Mutex<BTreeMap<PathBuf, Weak<Module>>> = Mutex::new(BTreeMap::new());

impl Module {
    fn open(path: &Path) -> Result<Arc<Self>, String> {
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = modules.get(path).and_then(Weak::upgrade) {
            return Ok(module);
        }
        let context = Pkcs11::new(path).map_err(|e| format!("{}: {}", path.display(), words(&e)))?;
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // The one before is being finalised by another thread at this moment: then the next attempt finds it done.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(e) => return Err(format!("{}: {}", path.display(), words(&e))),
        }
        let module = Arc::new(Self { context });
        modules.insert(path.to_owned(), Arc::downgrade(&module));
        Ok(module)
    }
}

/// Why no session could be had.
enum Closed {
    /// The token may come back.
    Away(String),
    /// A person must act.
    Refused(String),
}

impl TokenSigner {
    /// Reads the PIN, finds the key and lets it sign, so that a key that is not the certificate's is known at once.
    ///
    /// # Errors
    /// A problem with files, labels, PIN or pair; an outage when the token does not answer.
    pub fn open(place: TokenPlace, certificate: Arc<Certificate>, certificate_file: &Path) -> Result<Self, OpenFault> {
        let pin = read_private(&place.pin_file)?;
        let pin = String::from_utf8(pin).unwrap_or_default();
        let problem = |what: String| OpenFault::Problem(KeyProblem::Token(what));
        let Some(algorithm) = certificate.algorithm() else { return Err(problem("the certificate's key is of a kind that no profile signs with".into())) };
        let signer = Self { pin: AuthPin::from(pin.trim_end_matches(['\r', '\n'])), place, certificate, algorithm, hands: Mutex::default() };
        let probe = b"Arkki tries its key";
        let value = signer.sign(probe).map_err(|outage| match signer.lock().closed.clone() {
            Some(what) => problem(what),
            None => OpenFault::Outage(outage),
        })?;
        if !signer.certificate.verifies(&sha256(probe), &value) {
            return Err(OpenFault::Problem(KeyProblem::NotAPair(
                PathBuf::from(format!("{} in {}", signer.place.key, signer.place.token)),
                certificate_file.to_owned(),
            )));
        }
        // Opened again when it is needed: a key that waits for its day must not keep the module from being begun anew.
        signer.let_go();
        Ok(signer)
    }

    fn lock(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session at hand, or a new one.
    fn take(&self) -> Result<Live, Closed> {
        let life = {
            let mut hands = self.lock();
            if let Some(why) = &hands.closed {
                return Err(Closed::Refused(why.clone()));
            }
            if let Some(live) = hands.idle.pop() {
                return Ok(live);
            }
            hands.life
        };
        self.connect(life)
    }

    fn connect(&self, life: u64) -> Result<Live, Closed> {
        let away = |e: Error| Closed::Away(words(&e));
        let module = Module::open(&self.place.module).map_err(Closed::Away)?;
        let context = &module.context;
        let mut found = None;
        for slot in context.get_slots_with_initialized_token().map_err(away)? {
            if context.get_token_info(slot).is_ok_and(|info| info.label().trim_end() == self.place.token) {
                found = Some(slot);
                break;
            }
        }
        let slot = found.ok_or_else(|| Closed::Away(format!("no token is called {:?}", self.place.token)))?;
        let session = context.open_ro_session(slot).map_err(away)?;
        match session.login(UserType::User, Some(&self.pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(Error::Pkcs11(why @ (RvError::PinIncorrect | RvError::PinLocked | RvError::PinExpired | RvError::PinInvalid | RvError::PinLenRange), _)) => {
                let what = format!("token {:?} refuses the PIN of {} ({why}); it is not tried again", self.place.token, self.place.pin_file.display());
                self.lock().closed = Some(what.clone());
                return Err(Closed::Refused(what));
            }
            Err(e) => return Err(away(e)),
        }
        let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(self.place.key.as_bytes().to_vec())];
        let keys = session.find_objects(&wanted).map_err(away)?;
        match keys.as_slice() {
            [key] => Ok(Live { key: *key, session, life, _module: module }),
            [] => Err(Closed::Away(format!("token {:?} has no private key called {:?}", self.place.token, self.place.key))),
            _ => Err(Closed::Away(format!("token {:?} has {} private keys called {:?}", self.place.token, keys.len(), self.place.key))),
        }
    }

    fn give_back(&self, live: Live) {
        let mut hands = self.lock();
        if live.life == hands.life && hands.idle.len() < IDLE_SESSIONS {
            hands.idle.push(live);
        }
    }

    /// Lets every session go, those in other hands as soon as they come back.
    fn let_go(&self) {
        let idle = {
            let mut hands = self.lock();
            hands.life += 1;
            std::mem::take(&mut hands.idle)
        };
        // Closing speaks to the token: not under the lock.
        drop(idle);
    }
}

impl Signer for TokenSigner {
    fn sign(&self, octets: &[u8]) -> Result<Vec<u8>, Outage> {
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            match self.take() {
                Err(Closed::Refused(what)) => return Err(Outage::new(Part::Key, what)),
                Err(Closed::Away(what)) => why = what,
                Ok(live) => {
                    let signed = match self.algorithm {
                        Algorithm::RsaSha256 => live.session.sign(&Mechanism::Sha256RsaPkcs, live.key, octets),
                        Algorithm::EcdsaSha256 => live.session.sign(&Mechanism::Ecdsa, live.key, &sha256(octets).0),
                    };
                    match signed {
                        Ok(value) => {
                            self.give_back(live);
                            return Ok(value);
                        }
                        Err(e) => {
                            why = words(&e);
                            drop(live);
                        }
                    }
                }
            }
            self.let_go();
        }
        Err(Outage::new(Part::Key, format!("token {:?}: {why}", self.place.token)))
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn certificate(&self) -> &[u8] {
        self.certificate.der()
    }
}

/// A module's fault, without its function's paragraph of documentation.
fn words(e: &Error) -> String {
    match e {
        Error::Pkcs11(rv, function) => format!("{function} says {rv:?}"),
        other => other.to_string(),
    }
}
