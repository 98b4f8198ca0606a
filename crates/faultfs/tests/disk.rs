//! Programs use the file system like any other, until a fault is injected; then it fails as specified.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use faultfs::{Change, Fault, FaultFs, FileId, Node};
use tempfile::TempDir;

struct Bench {
    disk: FaultFs,
    backing: PathBuf,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [backing, at] = ["backing", "at"].map(|name| folder.path().join(name));
        fs::create_dir(&backing).unwrap();
        fs::create_dir(&at).unwrap();
        let disk = FaultFs::mount(&backing, &at).unwrap_or_else(|error| panic!("{error}: {error:?}"));
        Self { disk, backing, _folder: folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.disk.at().join(name)
    }
}

/// The example program `store`, which adds a row for each line of its input.
struct Store {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Store {
    fn open(path: &Path) -> Self {
        let program = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples/store");
        assert!(program.exists(), "build it first: cargo build -p faultfs --example store");
        let mut command = Command::new(program);
        let mut process = command.arg(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, answers }
    }

    /// Adds a row; answers with the number of rows, or `refused`.
    fn add(&mut self) -> String {
        writeln!(self.process.stdin.as_ref().unwrap(), "row").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    fn close(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

#[test]
fn changes_are_made_in_the_backing_folder() {
    let bench = Bench::new();
    let (dir, file) = (bench.path("dir"), bench.path("dir/file"));
    fs::create_dir(&dir).unwrap();
    OpenOptions::new().write(true).create_new(true).mode(0o640).open(&file).unwrap();
    fs::write(&file, "twelve bytes").unwrap();
    OpenOptions::new().append(true).open(&file).unwrap().write_all(b", and more").unwrap();
    fs::hard_link(&file, dir.join("second")).unwrap();
    fs::rename(&file, bench.path("moved")).unwrap();
    symlink("moved", bench.path("link")).unwrap();
    assert_eq!(fs::read_to_string(bench.backing.join("link")).unwrap(), "twelve bytes, and more");
    assert_eq!(fs::read_to_string(bench.path("link")).unwrap(), "twelve bytes, and more");
    let found = fs::metadata(bench.path("moved")).unwrap();
    assert_eq!((found.mode() & 0o777, found.nlink(), found.len()), (0o640, 2, 22));
    fs::remove_dir_all(&dir).unwrap();
    fs::copy(bench.path("moved"), bench.path("copy")).unwrap();
    let mut names: Vec<_> =
        fs::read_dir(bench.disk.at()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["copy", "link", "moved"]);
}

#[test]
fn removed_file_exists_until_it_is_closed() {
    let bench = Bench::new();
    let path = bench.path("file");
    fs::write(&path, "kept").unwrap();
    let mut open = OpenOptions::new().read(true).append(true).open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    open.write_all(b" open").unwrap();
    let mut text = String::new();
    open.rewind().unwrap();
    open.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), open.metadata().unwrap().nlink()), ("kept open", 0));
}

#[test]
fn programs_can_be_started_from_it_and_files_locked() {
    let bench = Bench::new();
    let program = bench.path("sleep");
    fs::copy("/bin/sleep", &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(Command::new(&program).arg("0").status().unwrap().success());
    let mut running = Command::new(&program).arg("60").spawn().unwrap();
    let busy = OpenOptions::new().write(true).open(&program).unwrap_err();
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(busy.kind(), ErrorKind::ExecutableFileBusy);
    let [one, other] = [0; 2].map(|_| File::create(bench.path("lock")).unwrap());
    one.lock().unwrap();
    assert!(other.try_lock().is_err());
}

#[test]
fn sqlite_works_with_a_shared_log() {
    let bench = Bench::new();
    let path = bench.path("store.db");
    let mut one = Store::open(&path);
    assert_eq!(one.add(), "1");
    let mut other = Store::open(&path);
    assert_eq!(other.add(), "2");
    for row in (3..50).step_by(2) {
        assert_eq!((one.add(), other.add()), (row.to_string(), (row + 1).to_string()));
    }
    assert!(bench.path("store.db-shm").exists(), "the log is not shared");
    one.close();
    other.close();
}

#[test]
fn failing_disk_refuses_changes_and_keeps_its_contents() {
    let bench = Bench::new();
    let (kept, open) = (bench.path("kept"), File::create(bench.path("open")).unwrap());
    fs::write(&kept, "kept").unwrap();
    bench.disk.inject(Fault::InputOutput);
    let refused = |outcome: std::io::Result<()>| outcome.unwrap_err().raw_os_error();
    let io = Some(rustix::io::Errno::IO.raw_os_error());
    assert_eq!(refused((&open).write_all(b"more")), io);
    assert_eq!(refused(open.sync_all()), io);
    assert_eq!(refused(fs::write(bench.path("new"), "")), io);
    assert_eq!(refused(fs::remove_file(&kept)), io);
    assert_eq!(refused(fs::rename(&kept, bench.path("other"))), io);
    assert_eq!(refused(fs::create_dir(bench.path("dir"))), io);
    assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");
    bench.disk.clear_fault();
    (&open).write_all(b"more").unwrap();
    open.sync_all().unwrap();
}

#[test]
fn full_disk_refuses_only_changes_that_need_space() {
    let bench = Bench::new();
    let path = bench.path("file");
    fs::write(&path, "old").unwrap();
    bench.disk.inject(Fault::NoSpaceAfter { bytes: 10 });
    fs::write(&path, "ten bytes.").unwrap();
    assert_eq!(fs::write(&path, "one more").unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(fs::write(bench.path("new"), "").unwrap_err().kind(), ErrorKind::StorageFull);
    fs::rename(&path, bench.path("moved")).unwrap();
    fs::remove_file(bench.path("moved")).unwrap();
    bench.disk.clear_fault();
    fs::write(&path, "one more").unwrap();
}

#[test]
fn store_on_a_failing_disk_refuses_the_commit_and_keeps_earlier_ones() {
    let bench = Bench::new();
    let mut store = Store::open(&bench.path("store.db"));
    assert_eq!(store.add(), "1");
    bench.disk.inject(Fault::InputOutput);
    assert_eq!(store.add(), "refused");
    bench.disk.clear_fault();
    assert_eq!(store.add(), "2");
    store.close();
    let mut again = Store::open(&bench.path("store.db"));
    assert_eq!(again.add(), "3");
    again.close();
}

#[test]
fn slow_disk_does_not_delay_readers() {
    let bench = Bench::new();
    let path = bench.path("file");
    fs::write(&path, "old").unwrap();
    bench.disk.inject(Fault::Slow { each: Duration::from_secs(3600) });
    let slow = bench.path("slow");
    let writer = std::thread::spawn(move || fs::write(slow, "slow"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert!(!writer.is_finished());
    bench.disk.clear_fault();
    writer.join().unwrap().unwrap();
    assert_eq!(fs::read_to_string(bench.path("slow")).unwrap(), "slow");
}

#[test]
fn every_change_is_recorded_in_order() {
    let bench = Bench::new();
    fs::create_dir(bench.path("dir")).unwrap();
    fs::write(bench.path("dir/old"), "old").unwrap();
    bench.disk.begin_record().unwrap();
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(bench.path("dir/new")).unwrap();
    file.write_all(b"new").unwrap();
    file.sync_all().unwrap();
    fs::rename(bench.path("dir/new"), bench.path("dir/old")).unwrap();
    File::open(bench.path("dir")).unwrap().sync_all().unwrap();
    bench.disk.mark("replaced");
    let record = bench.disk.record();
    let dir = record.directory(Path::new("dir")).unwrap();
    let Some(Change::Create { file, .. }) = record.changes.first() else { panic!("{record:?}") };
    let (file, name, to_name) = (*file, "new".into(), "old".into());
    assert!(file > dir && dir > FileId::ROOT);
    let expected = [
        Change::Create {
            dir,
            name: "new".into(),
            file,
            node: Node::File { mode: 0o600, contents: Default::default() },
        },
        Change::Write { file, at: 0, data: (*b"new").into() },
        Change::Sync { file },
        Change::Rename { dir, name, to_dir: dir, to_name },
        Change::SyncDir { dir },
        Change::Mark { what: "replaced".into() },
    ];
    assert_eq!(record.changes, expected);
}
