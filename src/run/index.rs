//! A searchable index of runs: a cache in SQLite, rebuilt from the run folders at any time. Jobs never write it.

use super::folder::{RunFolder, name_of, place_for};
use super::process;
use super::results::{FairRow, ResultRow};
use super::status::State;
use crate::experiment::fair::FAIR_REGRESSION;
use crate::experiment::{Problem, Result, Scores, Spec};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, Transaction, params};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Raised whenever the tables change: an index of another version is built anew.
const VERSION: i64 = 8;

const TABLES: &str = "
    CREATE TABLE run (
        path TEXT PRIMARY KEY, root TEXT NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL, state TEXT,
        data TEXT NOT NULL, network TEXT NOT NULL, attack TEXT, defenses TEXT NOT NULL, seed INTEGER NOT NULL,
        started INTEGER, ended INTEGER, trouble TEXT, note TEXT NOT NULL, fair TEXT NOT NULL,
        model TEXT
    ) STRICT;
    CREATE TABLE final_metric (
        run TEXT NOT NULL REFERENCES run(path) ON DELETE CASCADE, position INTEGER NOT NULL, title TEXT NOT NULL,
        method TEXT NOT NULL, acc REAL NOT NULL, asr REAL, ra REAL, der REAL, rir REAL, seconds REAL NOT NULL,
        clean_count INTEGER NOT NULL, triggered_count INTEGER NOT NULL, oracle INTEGER NOT NULL, control INTEGER NOT NULL,
        cross_acc REAL, rar REAL, rar_floor REAL, variant TEXT NOT NULL, note TEXT NOT NULL,
        weights TEXT, PRIMARY KEY (run, position)
    ) STRICT;
    CREATE TABLE tag (
        run TEXT NOT NULL REFERENCES run(path) ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (run, tag)
    ) STRICT;
    CREATE TABLE picture (
        run TEXT NOT NULL REFERENCES run(path) ON DELETE CASCADE, position INTEGER NOT NULL, file TEXT NOT NULL,
        caption TEXT NOT NULL, PRIMARY KEY (run, position)
    ) STRICT;
    CREATE INDEX run_by_start ON run(started);
";

/// The index of all runs that were seen.
pub struct Index {
    connection: Connection,
}

/// Which runs to list; nothing set lists all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Part of the name, of the path, or of the hash of the model that was audited.
    pub text: Option<String>,
    /// Only runs of this folder of runs.
    pub root: Option<PathBuf>,
    pub state: Option<State>,
    pub data: Option<String>,
    pub network: Option<String>,
    pub attack: Option<String>,
    /// Id of a defense that the run contains.
    pub defense: Option<String>,
    pub tag: Option<String>,
    /// 0 means no limit.
    pub most: usize,
}

/// One run as the index knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    pub path: PathBuf,
    pub name: String,
    /// First eight hexadecimal digits of the experiment's hash.
    pub hash: String,
    /// `None` if the folder cannot be read.
    pub state: Option<State>,
    pub data: String,
    /// Id of the network, or `fair-regression`.
    pub network: String,
    pub attack: Option<String>,
    pub defenses: Vec<String>,
    pub seed: u64,
    /// Seconds since 1970.
    pub started: Option<u64>,
    pub ended: Option<u64>,
    /// What is wrong with the folder, or how the run failed.
    pub trouble: Option<String>,
    pub tags: Vec<String>,
    /// What people wrote about the run.
    pub note: String,
    /// Its first picture.
    pub picture: Option<PathBuf>,
    pub results: Vec<ResultRow>,
    /// Of a fair regression.
    pub fair: Vec<FairRow>,
    /// BLAKE3 of the file of the model that was audited.
    pub model: Option<String>,
}

impl RunRow {
    /// The run fits a fair regression; it has no network and no pictures.
    pub fn is_fair(&self) -> bool {
        self.network == FAIR_REGRESSION
    }
}

impl Index {
    /// Opens the user's index. Where no cache can be written, it lives in memory until the program ends.
    pub fn open() -> Result<Self> {
        let folder = place_for(std::env::var_os("POLARISCOPE_CACHE"), |dirs| dirs.cache_dir().to_owned());
        match folder.map(|folder| Self::open_at(&folder.join("index.sqlite"))) {
            Some(Ok(index)) => Ok(index),
            Some(Err(problem)) => {
                tracing::warn!("the index of runs is kept in memory: {problem}");
                Self::in_memory()
            }
            None => Self::in_memory(),
        }
    }

    /// Opens or creates an index file. A damaged one is put aside and replaced.
    pub fn open_at(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| Problem::io("make the cache folder", folder, &error))?;
        }
        let opened = Connection::open(path).and_then(prepare);
        match opened {
            Err(error) if is_damaged(&error) => {
                let aside = path.with_extension(format!("damaged-{}", process::now()));
                fs::rename(path, &aside).map_err(|error| Problem::io("put the damaged index aside", path, &error))?;
                tracing::warn!("the index of runs was damaged, is now {} and is built anew", aside.display());
                Connection::open(path).and_then(prepare)
            }
            opened => opened,
        }
        .map(|connection| Self { connection })
        .map_err(|error| trouble(&error).at(path.display()))
    }

    /// An index that leaves nothing behind.
    pub fn in_memory() -> Result<Self> {
        let connection = Connection::open_in_memory().and_then(prepare).map_err(|error| trouble(&error))?;
        Ok(Self { connection })
    }

    /// Reads all runs of a folder again, forgets those that are gone, and says how many there are.
    ///
    /// A folder that cannot be read is listed with its trouble.
    pub fn rescan(&mut self, runs: &Path) -> Result<usize> {
        let mut found: Vec<PathBuf> = match fs::read_dir(runs) {
            Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Problem::io("look for runs", runs, &error)),
        };
        found.retain(|path| path.is_dir() && !hidden(path));
        found.sort();
        // Files are read before the transaction, so that the index is locked only briefly.
        let rows: Vec<Entry> = found.iter().map(|path| Entry::read(path)).collect();
        let root = text(runs);
        self.write(|transaction| {
            transaction.execute("DELETE FROM run WHERE root = ?1", [&root])?;
            rows.iter().try_for_each(|row| row.insert(transaction, &root))
        })?;
        Ok(rows.len())
    }

    /// Takes one run into the index, wherever its folder is.
    pub fn record(&mut self, run: &Path) -> Result<()> {
        let entry = Entry::read(run);
        let root = Path::new(&text(run)).parent().map(text).unwrap_or_default();
        self.write(|transaction| entry.insert(transaction, &root))
    }

    /// Forgets a run; its folder stays as it is.
    pub fn forget(&mut self, run: &Path) -> Result<()> {
        self.write(|transaction| transaction.execute("DELETE FROM run WHERE path = ?1", [text(run)]).map(drop))
    }

    /// Runs that fit the filter, the newest first; folders that cannot be read come last.
    pub fn list(&self, filter: &Filter) -> Result<Vec<RunRow>> {
        self.select(filter).map_err(|error| trouble(&error))
    }

    fn select(&self, filter: &Filter) -> rusqlite::Result<Vec<RunRow>> {
        let mut statement = self.connection.prepare(
            "SELECT path, name, hash, state, data, network, attack, defenses, seed, started, ended, trouble, note,
                    (SELECT file FROM picture WHERE run = path ORDER BY position LIMIT 1), fair, model FROM run
             WHERE (?1 IS NULL OR instr(lower(name), lower(?1)) OR instr(lower(path), lower(?1))
                    OR instr(model, lower(?1)))
               AND (?2 IS NULL OR root = ?2) AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR data = ?4)
               AND (?5 IS NULL OR network = ?5) AND (?6 IS NULL OR attack = ?6)
               AND (?7 IS NULL OR instr(' ' || defenses || ' ', ' ' || ?7 || ' '))
               AND (?8 IS NULL OR EXISTS (SELECT 1 FROM tag WHERE run = path AND tag = ?8))
             ORDER BY state IS NULL, started DESC, path LIMIT ?9",
        )?;
        let most = if filter.most == 0 { -1 } else { i64::try_from(filter.most).unwrap_or(-1) };
        let given = params![
            filter.text,
            filter.root.as_deref().map(text),
            filter.state.map(State::id),
            filter.data,
            filter.network,
            filter.attack,
            filter.defense,
            filter.tag,
            most,
        ];
        let mut rows = statement.query_map(given, run_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
        for row in &mut rows {
            let path = text(&row.path);
            let mut tags = self.connection.prepare_cached("SELECT tag FROM tag WHERE run = ?1 ORDER BY tag")?;
            row.tags = tags.query_map([&path], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            let mut results = self.connection.prepare_cached(
                "SELECT title, method, acc, asr, ra, der, rir, seconds, clean_count, triggered_count, oracle, control,
                    cross_acc, rar, rar_floor, variant, note, weights
                 FROM final_metric WHERE run = ?1 ORDER BY position",
            )?;
            row.results = results.query_map([&path], result_row)?.collect::<rusqlite::Result<_>>()?;
        }
        Ok(rows)
    }

    /// File and caption of a run's pictures, in their order.
    pub fn pictures(&self, run: &Path) -> Result<Vec<(PathBuf, String)>> {
        let select = || -> rusqlite::Result<Vec<(PathBuf, String)>> {
            let mut statement =
                self.connection.prepare_cached("SELECT file, caption FROM picture WHERE run = ?1 ORDER BY position")?;
            let rows = statement
                .query_map([text(run)], |row| Ok((run.join("images").join(row.get::<_, String>(0)?), row.get(1)?)))?;
            rows.collect()
        };
        select().map_err(|error| trouble(&error))
    }

    fn write(&mut self, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>) -> Result<()> {
        let run = || {
            let transaction = self.connection.transaction()?;
            change(&transaction)?;
            transaction.commit()
        };
        run().map_err(|error| trouble(&error))
    }
}

/// What is read from one run folder.
struct Entry {
    path: PathBuf,
    experiment: Option<Spec>,
    state: Option<State>,
    started: Option<u64>,
    ended: Option<u64>,
    trouble: Option<String>,
    results: Vec<ResultRow>,
    fair: Vec<FairRow>,
    model: Option<String>,
    tags: Vec<String>,
    note: String,
    images: Vec<(String, String)>,
}

impl Entry {
    /// Never fails: what cannot be read becomes the entry's trouble.
    fn read(path: &Path) -> Self {
        let mut entry = Self {
            path: path.to_owned(),
            experiment: None,
            state: None,
            started: None,
            ended: None,
            trouble: None,
            results: Vec::new(),
            fair: Vec::new(),
            model: None,
            tags: Vec::new(),
            note: String::new(),
            images: Vec::new(),
        };
        if let Err(problem) = entry.fill() {
            entry.state = None;
            entry.trouble = Some(problem.headline);
        }
        entry
    }

    fn fill(&mut self) -> Result<()> {
        let folder = RunFolder::open(&self.path)?;
        self.experiment = Some(folder.read_spec()?);
        let status = folder.status()?;
        self.started = Some(status.started);
        self.ended = status.ended;
        self.trouble = status.problem.map(|problem| problem.headline);
        let results = folder.results()?.unwrap_or_default();
        (self.results, self.fair) = (results.rows, results.fair);
        self.model = results.subject.and_then(|subject| subject.hash);
        self.tags = folder.tags()?;
        self.note = folder.note()?;
        self.images = folder.images()?.into_iter().map(|image| (image.file, image.caption)).collect();
        self.state = Some(folder.state()?);
        Ok(())
    }

    fn insert(&self, to: &Transaction<'_>, root: &str) -> rusqlite::Result<()> {
        let path = text(&self.path);
        let spec = self.experiment.as_ref();
        let folder_name = name_of(&self.path);
        let name = spec.map(|spec| spec.name().to_owned()).filter(|name| !name.is_empty()).unwrap_or(folder_name);
        let backdoor = spec.and_then(|spec| match spec {
            Spec::Backdoor(experiment) => Some(experiment),
            Spec::Fair(_) => None,
        });
        let defenses: Vec<&str> = backdoor.iter().flat_map(|spec| &spec.defense).map(|pick| pick.id.as_str()).collect();
        to.execute("DELETE FROM run WHERE path = ?1", [&path])?;
        to.execute(
            "INSERT INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            params![
                path,
                root,
                name,
                spec.map(Spec::hash8).unwrap_or_default(),
                self.state.map(State::id),
                spec.map(Spec::data).unwrap_or_default(),
                spec.map(Spec::learner).unwrap_or_default(),
                backdoor.and_then(|spec| spec.attack.as_ref()).map(|pick| pick.id.as_str()),
                defenses.join(" "),
                // SQLite's whole numbers have a sign: the same bits come back as u64.
                spec.map_or(0, |spec| spec.seed().cast_signed()),
                self.started.map(u64::cast_signed),
                self.ended.map(u64::cast_signed),
                self.trouble,
                self.note,
                serde_json::to_string(&self.fair).unwrap_or_default(),
                self.model,
            ],
        )?;
        for (position, row) in self.results.iter().enumerate() {
            let Scores { acc, asr, ra, cross, rar, rar_floor, clean_count, triggered_count } = row.scores;
            to.prepare_cached(
                "INSERT INTO final_metric VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
            )?
            .execute(params![
                path,
                position as i64,
                row.title,
                row.method,
                acc,
                asr,
                ra,
                row.der,
                row.rir,
                row.seconds,
                clean_count as i64,
                triggered_count as i64,
                row.oracle,
                row.control,
                cross,
                rar,
                rar_floor,
                row.variant,
                row.note,
                row.weights.as_ref().map(|file| file.to_string_lossy()),
            ])?;
        }
        for tag in &self.tags {
            to.prepare_cached("INSERT OR IGNORE INTO tag VALUES (?1, ?2)")?.execute(params![path, tag])?;
        }
        for (position, (file, caption)) in self.images.iter().enumerate() {
            to.prepare_cached("INSERT INTO picture VALUES (?1, ?2, ?3, ?4)")?.execute(params![
                path,
                position as i64,
                file,
                caption
            ])?;
        }
        Ok(())
    }
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let path = PathBuf::from(row.get::<_, String>(0)?);
    Ok(RunRow {
        picture: row.get::<_, Option<String>>(13)?.map(|file| path.join("images").join(file)),
        path,
        name: row.get(1)?,
        hash: row.get(2)?,
        state: row.get::<_, Option<String>>(3)?.as_deref().and_then(State::from_id),
        data: row.get(4)?,
        network: row.get(5)?,
        attack: row.get(6)?,
        defenses: row.get::<_, String>(7)?.split_whitespace().map(str::to_owned).collect(),
        seed: row.get::<_, i64>(8)?.cast_unsigned(),
        started: row.get::<_, Option<i64>>(9)?.map(i64::cast_unsigned),
        ended: row.get::<_, Option<i64>>(10)?.map(i64::cast_unsigned),
        trouble: row.get(11)?,
        tags: Vec::new(),
        note: row.get(12)?,
        results: Vec::new(),
        fair: serde_json::from_str(&row.get::<_, String>(14)?).unwrap_or_default(),
        model: row.get(15)?,
    })
}

fn result_row(row: &Row<'_>) -> rusqlite::Result<ResultRow> {
    Ok(ResultRow {
        title: row.get(0)?,
        variant: row.get(15)?,
        method: row.get(1)?,
        scores: Scores {
            acc: row.get(2)?,
            asr: row.get(3)?,
            ra: row.get(4)?,
            cross: row.get(12)?,
            rar: row.get(13)?,
            rar_floor: row.get(14)?,
            clean_count: row.get::<_, i64>(8)? as usize,
            triggered_count: row.get::<_, i64>(9)? as usize,
        },
        der: row.get(5)?,
        rir: row.get(6)?,
        seconds: row.get(7)?,
        oracle: row.get(10)?,
        control: row.get(11)?,
        note: row.get(16)?,
        weights: row.get::<_, Option<String>>(17)?.map(PathBuf::from),
    })
}

/// Makes a connection ready: checks the file and builds the tables if they are not those of this version.
fn prepare(connection: Connection) -> rusqlite::Result<Connection> {
    // Window and command line may meet; neither holds the index for long.
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch("PRAGMA foreign_keys = ON")?;
    let health: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if health != "ok" {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
            Some(health),
        ));
    }
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let used = connection
        .query_row("SELECT 1 FROM sqlite_master LIMIT 1", [], |row| row.get::<_, i64>(0))
        .optional()?
        .is_some();
    if version != VERSION || !used {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             DROP TABLE IF EXISTS picture; DROP TABLE IF EXISTS tag; DROP TABLE IF EXISTS final_metric; DROP TABLE IF EXISTS run;
             {TABLES}
             PRAGMA user_version = {VERSION};
             COMMIT;"
        ))?;
    }
    Ok(connection)
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn trouble(error: &rusqlite::Error) -> Problem {
    Problem::internal("The index of runs cannot be used.")
        .because(error)
        .remedy("Delete the index file: it is built anew from the run folders.")
}

fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// A path as the index spells it: the same folder has one name, wherever the program was started.
fn text(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::results::{Results, STOPPED_EARLY};
    use crate::run::status::Status;

    fn spec(name: &str, attack: &str) -> String {
        format!(
            "name = '{name}'\nseed = 18446744073709551615\n[data]\nsource = 'fashion-mini'\n[network]\nid = 'small'\n\
             [attack]\nid = '{attack}'\n[[defense]]\nid = 'ft'\n[[defense]]\nid = 'npd'\n"
        )
    }

    /// Three runs, one of them with results, and a folder that is not readable as a run.
    fn runs() -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for (name, attack, started) in
            [("first", "badnets", 100), ("second", "blended", 300), ("third", "badnets", 200)]
        {
            let folder = RunFolder::create(&place.path().join(name), &spec(name, attack)).unwrap();
            let status = Status { started, ..Status::now(State::Running) };
            folder.set_status(&status.ended(State::Done, None)).unwrap();
        }
        let first = RunFolder::open(&place.path().join("first")).unwrap();
        let scores = Scores {
            acc: 0.9,
            asr: Some(0.95),
            ra: Some(0.04),
            cross: Some(0.8),
            rar: Some(0.7),
            rar_floor: Some(0.1),
            clean_count: 10,
            triggered_count: 9,
        };
        let mut results = Results::default();
        results.push(ResultRow { title: "no defense".into(), scores, seconds: 3.0, ..ResultRow::default() });
        let repaired = Scores { asr: Some(0.05), ..scores };
        results.push(ResultRow {
            title: "NPD".into(),
            method: "npd".into(),
            scores: repaired,
            oracle: true,
            variant: "radius 2".into(),
            control: true,
            weights: Some("weights/npd.safetensors".into()),
            note: STOPPED_EARLY.into(),
            ..ResultRow::default()
        });
        let hash = Some("9f2c11ab".to_owned());
        results.subject = Some(crate::run::Subject { hash, ..Default::default() });
        first.set_results(&results).unwrap();
        first.set_tags(&["lecture".into(), "lecture".into()]).unwrap();
        first.set_note("Shown on Monday.").unwrap();
        let image = serde_json::json!([{ "file": "trigger.png", "caption": "The trigger" }]);
        first.write_json("images/index.json", &image).unwrap();
        fs::create_dir(place.path().join("holiday")).unwrap();
        fs::create_dir(place.path().join(".hidden")).unwrap();
        place
    }

    fn names(index: &Index, filter: &Filter) -> Vec<String> {
        index.list(filter).unwrap().into_iter().map(|row| row.name).collect()
    }

    #[test]
    fn runs_are_listed_newest_first_and_unreadable_ones_last() {
        let place = runs();
        let mut index = Index::in_memory().unwrap();
        assert_eq!(index.rescan(place.path()).unwrap(), 4);
        assert_eq!(names(&index, &Filter::default()), ["second", "third", "first", "holiday"]);
        let rows = index.list(&Filter::default()).unwrap();
        assert_eq!((rows[3].state, rows[3].trouble.as_deref()), (None, Some("This folder does not hold a run.")));

        let first = &rows[2];
        assert_eq!(first.state, Some(State::Done));
        assert_eq!((first.seed, first.started), (u64::MAX, Some(100)));
        assert_eq!(first.defenses, ["ft", "npd"]);
        assert_eq!((first.tags.as_slice(), first.note.as_str()), (&["lecture".to_owned()][..], "Shown on Monday."));
        assert_eq!(first.picture, Some(first.path.join("images/trigger.png")));
        assert_eq!(rows[0].picture, None);
        let of_model = Filter { text: Some("9F2C11".into()), ..Filter::default() };
        assert_eq!((first.model.as_deref(), names(&index, &of_model)), (Some("9f2c11ab"), vec!["first".to_owned()]));
        assert_eq!(first.results, RunFolder::open(&first.path).unwrap().results().unwrap().unwrap().rows);
        let pictures = index.pictures(&first.path).unwrap();
        assert_eq!(pictures, [(first.path.join("images/trigger.png"), "The trigger".to_owned())]);
    }

    #[test]
    fn filters_narrow_the_list() {
        let place = runs();
        let mut index = Index::in_memory().unwrap();
        index.rescan(place.path()).unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(names(&index, &Filter { attack: some("badnets"), ..Filter::default() }), ["third", "first"]);
        assert_eq!(names(&index, &Filter { tag: some("lecture"), ..Filter::default() }), ["first"]);
        assert_eq!(names(&index, &Filter { text: some("SECO"), ..Filter::default() }), ["second"]);
        assert_eq!(names(&index, &Filter { defense: some("np"), ..Filter::default() }), [""; 0]);
        assert_eq!(names(&index, &Filter { defense: some("npd"), most: 1, ..Filter::default() }), ["second"]);
        assert_eq!(names(&index, &Filter { state: Some(State::Failed), ..Filter::default() }), [""; 0]);
        assert_eq!(names(&index, &Filter { text: some("'; DROP TABLE run; --"), ..Filter::default() }), [""; 0]);
        assert_eq!(names(&index, &Filter { root: Some("/elsewhere".into()), ..Filter::default() }), [""; 0]);
    }

    #[test]
    fn rescanning_follows_the_folders() {
        let place = runs();
        let elsewhere = runs();
        let mut index = Index::in_memory().unwrap();
        index.rescan(place.path()).unwrap();
        index.record(&elsewhere.path().join("third")).unwrap();
        fs::remove_dir_all(place.path().join("second")).unwrap();
        index.rescan(place.path()).unwrap();
        assert_eq!(names(&index, &Filter::default()), ["third", "third", "first", "holiday"]);
        index.forget(&elsewhere.path().join("third")).unwrap();
        assert_eq!(index.rescan(&place.path().join("missing")).unwrap(), 0);
        assert_eq!(names(&index, &Filter::default()), ["third", "first", "holiday"]);
    }

    #[test]
    fn one_folder_has_one_name() {
        let place = runs();
        let mut index = Index::in_memory().unwrap();
        index.rescan(place.path()).unwrap();
        index.record(&place.path().join(".").join("first")).unwrap();
        assert_eq!(names(&index, &Filter::default()).len(), 4);
        let root = Some(place.path().join("."));
        assert_eq!(names(&index, &Filter { root, ..Filter::default() }).len(), 4);
    }

    #[test]
    fn a_damaged_index_is_put_aside_and_built_anew() {
        let place = runs();
        let cache = tempfile::tempdir().unwrap();
        let path = cache.path().join("deep/index.sqlite");
        Index::open_at(&path).unwrap().rescan(place.path()).unwrap();
        assert_eq!(names(&Index::open_at(&path).unwrap(), &Filter::default()).len(), 4, "it is kept on the disk");

        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        for garbage in [&b"not a database at all, but long enough to look at"[..], {
            bytes[200..middle].fill(0xa5);
            &bytes
        }] {
            fs::write(&path, garbage).unwrap();
            let mut index = Index::open_at(&path).unwrap();
            assert_eq!(names(&index, &Filter::default()), [""; 0]);
            index.rescan(place.path()).unwrap();
            assert_eq!(names(&index, &Filter::default()).len(), 4);
        }
        let aside = fs::read_dir(path.parent().unwrap()).unwrap().filter_map(|entry| entry.ok());
        assert!(aside.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("damaged-")));
    }

    #[test]
    fn an_index_of_another_version_is_built_anew() {
        let cache = tempfile::tempdir().unwrap();
        let path = cache.path().join("index.sqlite");
        let old = Connection::open(&path).unwrap();
        old.execute_batch("CREATE TABLE run (other TEXT); PRAGMA user_version = 999;").unwrap();
        drop(old);
        assert_eq!(names(&Index::open_at(&path).unwrap(), &Filter::default()), [""; 0]);
    }
}
