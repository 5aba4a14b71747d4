//! A node for tests, and requests to it.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Arbiter};
use actix_web::body::to_bytes;
use actix_web::dev::Service;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, init_service};
use actix_web::web;
use dta_crypto::Secret;
use dta_events::Rules;
use dta_events::log::Pace;
use dta_plugins::Registry;
use dta_protocol::{Cid, Identity};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::actors::checkpoints::{self, Checkpointer, Published};
use crate::actors::clock_watch::ClockWatch;
use crate::actors::crypto_pool::CryptoPool;
use crate::actors::follow::{self, Following};
use crate::actors::identities::Identities;
use crate::actors::log::{EventLog as _, LogReader, LogWriter, RocksLog};
use crate::actors::orders::{Desk, Shard};
use crate::actors::outbox::Outbox;
use crate::actors::peers::book::Book;
use crate::actors::peers::pins::Pins;
use crate::actors::peers::{Incoming, PeerClient};
use crate::actors::projector::Projector;
use crate::actors::seeds::SeedKeeper;
use crate::actors::services::{Caller, Services};
use crate::actors::verifier::Verifier;
use crate::actors::views::Views;
use crate::actors::witness::Witness;
use crate::api::{App, HttpSettings, Surface, configure};
use crate::config::{NodeType, TEMPLATE};
use crate::home::{Home, make_private_folder};
use crate::keystore::{Keystore, Protection};
use crate::node::init::first_records;
use crate::node::open::entropy;
use crate::node::start::plugged;
use crate::node::{OpenNode, initialise};
use crate::ports::{Clock, OsEntropy};
use crate::quota::{Quota, Quotas};

/// When the clock of a test begins: 2026-01-01T00:00:00Z.
pub const START_MS: u64 = 1_767_225_600_000;

/// How long a hook of a plugin may take.
const PLUGIN_LIMIT: Duration = Duration::from_millis(300);

/// A clock that stands until it is moved.
pub struct Hands(AtomicU64);

impl Hands {
    pub fn at(ms: u64) -> Self {
        Self(AtomicU64::new(ms))
    }

    pub fn set(&self, ms: u64) {
        self.0.store(ms, Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn wall_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn monotonic_ms(&self) -> u64 {
        self.wall_ms()
    }
}

/// A node without a listener.
pub struct Node {
    pub clock: Arc<Hands>,
    pub app: web::Data<App>,
    pub identity: Cid,
    projector: Option<Projector>,
    writer: Option<LogWriter>,
    head: watch::Receiver<u64>,
    publish: watch::Sender<Option<Arc<Published>>>,
    home: Home,
    epoch: u64,
    _folder: tempfile::TempDir,
}

impl Node {
    pub fn start(http: HttpSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        Self::made(folder, &home, http, START_MS, &Registry::shipped(), "milagro")
    }

    /// A node with the plugin of this name.
    pub fn with_plugin(plugins: &Registry, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        Self::made(folder, &home, HttpSettings::default(), START_MS, plugins, name)
    }

    /// The node of an identity that was made before, from this seed.
    pub fn of(seed: [u8; 32], document: &Identity, at_ms: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().join("home"));
        make_private_folder(&home.root).unwrap();
        let (seed, key) = (Secret::from_bytes(seed), Protection::KeyFile(folder.path().join("key")));
        Keystore::create(&home.seed_file(), &seed, &key, &mut OsEntropy).unwrap();
        // What an interrupted `dta init` has built is taken up.
        let log = RocksLog::create(&home.root.join("log.new"), Arc::new(Rules), entropy()).unwrap();
        for written in log.commit(first_records(document, document.name(), at_ms).unwrap()).unwrap() {
            written.unwrap();
        }
        drop(log);
        let node = Self::made(folder, &home, HttpSettings::default(), at_ms, &Registry::shipped(), "milagro");
        assert_eq!(node.identity, document.cid());
        node
    }

    fn made(
        folder: tempfile::TempDir,
        home: &Home,
        http: HttpSettings,
        at_ms: u64,
        plugins: &Registry,
        plugin: &str,
    ) -> Self {
        let key = Protection::KeyFile(folder.path().join("key"));
        initialise(home, "alice", TEMPLATE, |_| key, &Hands::at(at_ms)).unwrap();
        let key = Protection::KeyFile(folder.path().join("key"));
        Self::over(
            folder,
            OpenNode::open(home.clone(), |_, _| Ok(key)).unwrap(),
            http,
            at_ms,
            plugins,
            plugin,
        )
    }

    /// The node of a home that is open.
    pub fn opened(node: OpenNode, at_ms: u64) -> Self {
        Self::over(
            tempfile::tempdir().unwrap(),
            node,
            HttpSettings::default(),
            at_ms,
            &Registry::shipped(),
            "milagro",
        )
    }

    fn over(
        folder: tempfile::TempDir,
        node: OpenNode,
        http: HttpSettings,
        at_ms: u64,
        plugins: &Registry,
        plugin: &str,
    ) -> Self {
        let clock = Arc::new(Hands::at(at_ms));
        let OpenNode { log, identity, keyring, seeds, home, epoch, .. } = node;
        let keyring = Arc::new(keyring);
        let plugin = plugged(plugin, plugins, &identity, &keyring, PLUGIN_LIMIT).unwrap();
        let witness = Witness::read(&*log, &identity).unwrap();
        let (publish, newest) = watch::channel(None);
        let (committed, head) = watch::channel(log.head().unwrap().count);
        let views = Views::open(&home.views(), &dta_projections::all()).unwrap();
        let queries = views.queries();
        let projector = Projector::start(log.clone(), views, head.clone()).unwrap();
        let writer = LogWriter::start(log.clone(), 64, 64, committed, |why| panic!("{why}")).unwrap();
        let services = Arc::new(Services {
            node: identity,
            peers: Book::read(&*log, false).unwrap(),
            plugin,
            log,
            writer: writer.handle(),
            crypto: CryptoPool::start(2).unwrap(),
            unknown_seeds: 0,
            verifier: Verifier::new(Box::new(OsEntropy)),
            seeds: SeedKeeper::start(seeds, Box::new(OsEntropy), 64).unwrap(),
            keyring,
            checkpoint: newest,
            witness,
            clock_watch: Arc::new(ClockWatch::new(&*clock, 0)),
            incoming: Incoming::new(&*clock),
            clock: clock.clone(),
            refusals: Quota::new(1_000, 1),
            peer_refusals: Quotas::new(1_000, 1),
            in_flight: Arc::new(tokio::sync::Semaphore::new(crate::actors::services::IN_FLIGHT as usize)),
            entropy: Mutex::new(Box::new(OsEntropy)),
            give_up_after_ms: 60_000,
            shred_after_ms: None,
            nudge: mpsc::channel(1).0,
        });
        let shard = services.clone();
        let shard = Shard::start_in_arbiter(&Arbiter::new().handle(), |_| Shard::new(shard));
        let desk = Arc::new(Desk::new(services.clone(), vec![shard]));
        let client = PeerClient::new(clock.clone(), Box::new(OsEntropy)).unwrap();
        let outbox = Arc::new(Outbox::new(services.clone(), desk.clone(), client));
        let client = PeerClient::new(clock.clone(), Box::new(OsEntropy)).unwrap();
        let place = home.clone();
        let following = Following::new(follow::Parts {
            services: services.clone(),
            client,
            exchange: None,
            files: Box::new(move |peer| place.followed(&peer.to_string(), false)),
            pace: follow::Pace::default(),
        });
        let app = App {
            desk,
            fiduciary: identity,
            outbox,
            order_wait: Duration::from_secs(5),
            identities: Identities::new(services.clone()).start(),
            pins: Pins::new(services.clone(), true).start(),
            queries,
            projector: projector.handle(),
            services,
            node_type: NodeType::Multi,
            publishing: None,
            following: Arc::new(following),
            http,
        };
        let app = web::Data::new(app);
        let (projector, writer) = (Some(projector), Some(writer));
        Self { clock, app, identity, projector, writer, head, publish, home, epoch, _folder: folder }
    }

    /// The node, to serve.
    pub fn app(&self) -> web::Data<App> {
        self.app.clone()
    }

    /// Makes an identity known whose keys are elsewhere.
    pub async fn learn(&self, document: &Identity) {
        let caller = Caller { by: "local".into(), trace_id: [0; 16], request: None };
        self.app.services.learn(document, &caller).await.unwrap();
    }

    /// Commits to all that is in the log.
    pub async fn checkpoint(&self) {
        self.projected().await;
        self.checkpointer().finish().await;
    }

    /// Where it lives.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Where the newest checkpoint is noted.
    pub fn noted(&self) -> std::path::PathBuf {
        self.home.checkpoint()
    }

    /// What makes checkpoints.
    pub fn checkpointer(&self) -> Checkpointer {
        let app = &self.app;
        let parts = checkpoints::Parts {
            services: app.services.clone(),
            projector: app.projector.clone(),
            head: self.head.clone(),
            pace: Pace { records: 1, after_ms: 0 },
            epoch: self.epoch,
            file: self.home.checkpoint(),
            publish: self.publish.clone(),
        };
        Checkpointer::new(parts).unwrap()
    }

    /// Returns when the read models have the whole log.
    pub async fn projected(&self) {
        let head = self.app.services.log.head().unwrap().count;
        self.app.projector.wait_for(head - 1, Duration::from_secs(60)).await.unwrap();
    }

    /// The routes over this node.
    pub async fn routes(&self) -> Routes {
        let app = actix_web::App::new()
            .app_data(self.app.clone())
            .configure(configure(NodeType::Multi, Surface::All));
        let service = Rc::new(init_service(app).await);
        Routes(Box::new(move |request| {
            let service = service.clone();
            Box::pin(async move {
                let response = service.call(request.to_request()).await.unwrap();
                let (status, headers) = (response.status(), response.headers().clone());
                let body = to_bytes(response.into_body()).await.ok().unwrap();
                Answer { status, headers, body }
            })
        }))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(projector) = self.projector.take() {
            projector.stop();
        }
        if let Some(writer) = self.writer.take() {
            writer.stop();
        }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: web::Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Its JSON, if it is a 200.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// Status and code of a refusal, whose text must hold these words.
    pub fn refused(&self, words: &str) -> (u16, String) {
        let json = self.json();
        let text = json["error"].as_str().unwrap();
        assert!(text.contains(words), "{words:?} is not in {text:?}");
        (self.status.as_u16(), json["code"].as_str().unwrap().to_owned())
    }
}

type Answering = Pin<Box<dyn Future<Output = Answer>>>;

/// What answers requests.
pub struct Routes(Box<dyn Fn(TestRequest) -> Answering>);

impl Routes {
    /// Sends a request, to `localhost` unless it names another host.
    pub async fn send(&self, request: TestRequest) -> Answer {
        self.0(request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(got(path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(posted(path, body.to_string())).await
    }

    /// Makes an identity and answers its CID.
    pub async fn identity(&self, name: &str) -> String {
        let made = self.post("/v1/identity", &serde_json::json!({ "name": name })).await.ok();
        made["idDocumentCID"].as_str().unwrap().to_owned()
    }

    /// Places an order and answers its reference.
    pub async fn order(&self, order: Value) -> String {
        self.post("/v1/order", &order).await.ok()["orderReference"].as_str().unwrap().to_owned()
    }
}

/// A GET to this host.
pub fn got(path: &str) -> TestRequest {
    TestRequest::get().uri(path).insert_header(("host", "localhost:5556"))
}

/// A POST of JSON to this host.
pub fn posted(path: &str, body: impl Into<web::Bytes>) -> TestRequest {
    TestRequest::post()
        .uri(path)
        .insert_header(("host", "localhost:5556"))
        .insert_header(("content-type", "application/json"))
        .set_payload(body)
}
