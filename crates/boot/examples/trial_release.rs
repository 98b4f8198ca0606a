//! A minimal release for the tests of `boot`: the protocol of a program with `boot`, and every way to break it.
//! Started through a script in a slot: `exec trial_release BEHAVIOUR --root DIR`. It writes each event as a line
//! into `DIR/journal`.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use signal_hook::consts::SIGTERM;
use slots::{Machine, Slot, Supervised, supervised};

const TICK: Duration = Duration::from_millis(20);

struct Trial {
    root: PathBuf,
    machine: Machine,
    boot: Supervised,
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [behaviour, flag, root] = arguments.as_slice() else {
        panic!("usage: trial_release BEHAVIOUR --root DIR")
    };
    assert_eq!(flag, "--root");
    let root = PathBuf::from(root);
    if behaviour == "deaf" {
        // Never calls `supervised`, so it does not end with boot.
        let _ignored = asked_to_end();
        note(&root, "runs", env::var("PITLANE_SLOT").unwrap().parse().unwrap());
        forever();
    }
    let boot = supervised().unwrap().expect("started by pitlane-boot");
    let trial = Trial { machine: Machine::open(&root), root, boot };
    trial.note("runs");
    trial.behave(behaviour);
}

impl Trial {
    fn behave(&self, behaviour: &str) -> ! {
        match behaviour {
            "serve" => forever(),
            "confirm" => self.confirm(),
            "confirm-silently" => {
                self.machine.confirm(self.boot.slot()).unwrap();
                forever()
            }
            "pretend" => {
                self.boot.ready().unwrap();
                forever()
            }
            "stubborn" => {
                let _ignored = asked_to_end();
                forever()
            }
            "at-the-last-moment" => self.confirm_when_asked_to_end(),
            "wait-for-manager" => self.extend_until_there_is("manager"),
            "wait-then-hang" => {
                self.boot.extend(Duration::from_millis(1500)).unwrap();
                forever()
            }
            "upgrade" => self.upgrade_when_there_is("package"),
            "restart" => self.restart_when_there_is("restart"),
            other => panic!("no such behaviour: {other}"),
        }
    }

    fn confirm(&self) -> ! {
        self.machine.confirm(self.boot.slot()).unwrap();
        self.boot.ready().unwrap();
        self.note("confirmed");
        forever()
    }

    fn confirm_when_asked_to_end(&self) -> ! {
        let asked = asked_to_end();
        self.note("listens");
        while !asked.load(Ordering::SeqCst) {
            sleep(TICK);
        }
        self.machine.confirm(self.boot.slot()).unwrap();
        self.note("confirmed");
        exit(0)
    }

    fn extend_until_there_is(&self, name: &str) -> ! {
        while !self.root.join(name).exists() {
            self.boot.extend(Duration::from_secs(60)).unwrap();
            self.note("waits");
            sleep(TICK);
        }
        self.confirm()
    }

    fn upgrade_when_there_is(&self, name: &str) -> ! {
        while !self.root.join(name).exists() {
            sleep(TICK);
        }
        let staged = self.machine.staged().unwrap().expect("a staged release");
        self.machine.select(&staged.manifest).unwrap();
        exit(0)
    }

    fn restart_when_there_is(&self, name: &str) -> ! {
        while !self.root.join(name).exists() {
            sleep(TICK);
        }
        std::fs::remove_file(self.root.join(name)).unwrap();
        exit(0)
    }

    fn note(&self, event: &str) {
        note(&self.root, event, self.boot.slot());
    }
}

fn note(root: &Path, event: &str, slot: Slot) {
    let mut journal = OpenOptions::new().create(true).append(true).open(root.join("journal")).unwrap();
    journal.write_all(format!("{slot} {event} {}\n", std::process::id()).as_bytes()).unwrap();
}

fn asked_to_end() -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, asked.clone()).unwrap();
    asked
}

fn forever() -> ! {
    loop {
        sleep(Duration::from_secs(60));
    }
}
