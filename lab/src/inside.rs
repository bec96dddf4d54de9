//! What happens in the namespace: the work is read, the lab's servers start, and every case is carried out, or the self-test page is shown.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use crate::attempt;
use crate::browser::{Browser, Launch, Trouble};
use crate::case::{Case, LocalNetworkAccess};
use crate::handoff::{self, Handoff};
use crate::namespace;
use crate::opener::Opener;
use crate::plan::{Event, Plan, Work};
use crate::self_test;
use crate::stage::{Placed, Stage};
use crate::verdict::BrowserFacts;

/// The longest work that is read, in bytes.
const MAX_WORK: usize = 16 * 1024 * 1024;

/// Does the work that comes on standard input, a Unix socket; events, and how it ended, go to standard output.
pub fn run() {
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(carry_out()));
    if let Err(error) = outcome {
        tell(&Event::Failed {
            message: error.to_string(),
        });
    }
}

async fn carry_out() -> io::Result<()> {
    // What follows mounts and configures: only ever in a PID namespace of our own.
    if std::process::id() != 1 {
        return Err(io::Error::other(
            "`lab inside` is what `lab run` and `lab page` start in their namespaces",
        ));
    }
    let socket = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let remote_debugging = handoff::handed_in(&socket)?;
    socket.set_nonblocking(true)?;
    let mut socket = UnixStream::from_std(socket)?;
    let work = read_work(&mut socket).await?;
    let socket = Arc::new(socket);
    let mut watch = JoinSet::new();
    watch.spawn(end_with(Arc::clone(&socket)));
    namespace::set_up()?;
    let handoff = Handoff::new(socket);
    match work {
        Work::Run(plan) => run_all(&plan, handoff).await?,
        Work::Page(plan) => self_test::show(plan, handoff, remote_debugging, &tell).await?,
    }
    tell(&Event::Done);
    Ok(())
}

async fn run_all(plan: &Plan, handoff: Handoff) -> io::Result<()> {
    let stage = Stage::set_up(&plan.surroundings, handoff).await?;
    let mut targets = Vec::new();
    for planned in &plan.targets {
        targets.push(stage.place(planned.clone()).await?);
    }
    tell(&Event::Targets {
        targets: targets.iter().map(|placed| placed.target.clone()).collect(),
    });
    let mut groups: BTreeMap<(LocalNetworkAccess, Option<String>), Vec<Case>> = BTreeMap::new();
    for case in &plan.cases {
        let flags = (case.local_network_access, case.taken_for_public.clone());
        groups.entry(flags).or_default().push(case.clone());
    }
    let (stage, targets) = (Arc::new(stage), Arc::new(targets));
    for (number, ((local_network_access, taken_for_public), cases)) in groups.into_iter().enumerate() {
        let launch = Launch {
            kind: plan.browser,
            executable: plan.executable.clone(),
            profile: namespace::folder(&format!("profile-{number}"))?,
            local_network_access,
            taken_for_public,
        };
        run_group(plan, &stage, &targets, &launch, cases, number == 0).await?;
    }
    Ok(())
}

/// The cases of one browser, side by side.
async fn run_group(
    plan: &Plan,
    stage: &Arc<Stage>,
    targets: &Arc<Vec<Placed>>,
    launch: &Launch,
    cases: Vec<Case>,
    first: bool,
) -> io::Result<()> {
    let browser = match Browser::launch(launch).await {
        Ok(browser) => Arc::new(browser),
        Err(error) if matches!(error.trouble, Trouble::Unsupported(_)) => {
            for case in &cases {
                let result = Box::new(attempt::broken(case, &error.to_string()));
                tell(&Event::Case { result });
            }
            return Ok(());
        }
        Err(error) => return Err(io::Error::other(error)),
    };
    if first {
        tell(&Event::Browser {
            browser: BrowserFacts {
                kind: plan.browser,
                version: browser.version().to_owned(),
            },
        });
    }
    let mut running = JoinSet::new();
    for case in cases {
        while running.len() >= plan.parallel.max(1) {
            running.join_next().await;
        }
        let (stage, targets, browser) = (Arc::clone(stage), Arc::clone(targets), Arc::clone(&browser));
        running.spawn(async move {
            let result = attempt::carry_out(&stage, &targets, &Opener::Browser(&browser), &case).await;
            tell(&Event::Case {
                result: Box::new(result),
            });
        });
    }
    while running.join_next().await.is_some() {}
    if let Some(browser) = Arc::into_inner(browser) {
        browser.close().await;
    }
    Ok(())
}

async fn read_work(socket: &mut UnixStream) -> io::Result<Work> {
    let mut text = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    while text.last() != Some(&b'\n') {
        let read = socket.read(&mut chunk).await?;
        if read == 0 || text.len() > MAX_WORK {
            return Err(io::Error::other("the work did not come whole"));
        }
        text.extend_from_slice(&chunk[..read]);
    }
    serde_json::from_slice(&text).map_err(io::Error::other)
}

/// Ends the process, and so the namespace, when whoever started us is gone.
async fn end_with(socket: Arc<UnixStream>) {
    let mut byte = [0; 1];
    loop {
        if socket.readable().await.is_err() {
            std::process::exit(1);
        }
        match socket.try_read(&mut byte) {
            Ok(0) => std::process::exit(1),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => std::process::exit(1),
            _ => {}
        }
    }
}

/// One event, on a line of its own.
fn tell(event: &Event) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Ok(mut line) = serde_json::to_string(event) {
        line.push('\n');
        // Nobody reads any more: the socket says so too, and ends us.
        io::stdout().write_all(line.as_bytes()).ok();
    }
}
