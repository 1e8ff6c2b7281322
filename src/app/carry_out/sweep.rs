//! Varying one thing: planning the runs, making them one after another, looking at what they have shown.

use crate::app::command::Screen;
use crate::app::comparison::{CompareChange, MOST_COLUMNS};
use crate::app::differences::differences;
use crate::app::form;
use crate::app::job::{JobState, JobView};
use crate::app::state::{Fetched, State};
use crate::app::sweep::{LUCK, Standing, SweepView, VaryChange, VaryDraft, field_at, seeds_of, value_at, values_of};
use crate::experiment::sweep::Sweep;
use crate::experiment::{Code, Experiment, Problem, Result, Spec, check};
use crate::run::Found;
use crate::run::event::{Ending, RunRequest};
use crate::run::handle::Engine;
use crate::run::sweep::plan;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

impl State {
    pub(super) fn change_sweep(&mut self, change: VaryChange, engine: &dyn Engine) {
        match change {
            VaryChange::Open(path) => self.open_list(path),
            VaryChange::Values(values) => self.edit_list(|draft| draft.values = values),
            VaryChange::Seeds(seeds) => self.edit_list(|draft| draft.seeds = seeds),
            VaryChange::Close => self.vary = None,
            VaryChange::Start => {
                if let Some(VaryDraft { plan: Ok(sweep), .. }) = self.vary.take() {
                    self.take_sweep(sweep);
                    self.resume_sweep(engine);
                }
            }
            VaryChange::Resume => self.resume_sweep(engine),
            VaryChange::Stop => {
                if let Some(sweep) = &mut self.sweep {
                    sweep.active = false;
                }
                self.stop(true, engine);
            }
            VaryChange::MoreSeeds => self.add_seeds(engine),
            VaryChange::Compare => self.compare_sweep(),
            VaryChange::PutAway => {
                self.sweep = None;
                self.remember_sweep();
            }
        }
    }

    /// A list that begins with the value of the draft.
    fn open_list(&mut self, path: String) {
        let experiment = self.draft.experiment();
        let Some(field) = field_at(&path, experiment, &self.forms).cloned() else { return };
        let values = form::words_of(&field, &value_at(&path, experiment, &field));
        let seeds = experiment.seed.to_string();
        let plan = Err(Problem::bad_input("The list is empty."));
        self.vary = Some(VaryDraft { path, field, values, seeds, plan, seconds: None });
        self.edit_list(|_| {});
    }

    fn edit_list(&mut self, edit: impl FnOnce(&mut VaryDraft)) {
        let Some(mut draft) = self.vary.take() else { return };
        edit(&mut draft);
        draft.plan = self.planned(&draft);
        draft.seconds = draft.plan.as_ref().ok().and_then(|sweep| self.seconds_of(sweep));
        self.vary = Some(draft);
    }

    fn planned(&self, draft: &VaryDraft) -> Result<SweepView> {
        let mut vary = BTreeMap::from([(draft.path.clone(), values_of(&draft.field, &draft.values)?)]);
        let seeds = seeds_of(&draft.seeds)?;
        if seeds.len() > 1 || i64::try_from(self.draft.experiment().seed).ok() != seeds.first().copied() {
            vary.insert("seed".to_owned(), seeds.into_iter().map(toml::Value::Integer).collect());
        }
        let experiment = self.to_run(self.draft.experiment());
        let written = toml::Table::try_from(&experiment)
            .map_err(|error| Problem::internal("The experiment cannot be written into the sweep.").because(error))?;
        self.view_of(Sweep { base: None, vary, cases: Vec::new(), experiment: Some(written) })
    }

    /// The runs of a sweep that carries its experiment, as far as they have been made.
    pub(in crate::app) fn view_of(&self, sweep: Sweep) -> Result<SweepView> {
        let missing = || Problem::bad_input("This sweep does not carry its experiment.");
        let text = toml::to_string(sweep.experiment.as_ref().ok_or_else(missing)?)
            .map_err(|error| Problem::internal("The experiment of the sweep cannot be read.").because(error))?;
        let experiment: Experiment = check::parse(&text, self.methods)?;
        let runs = self.runs_folder().ok_or_else(|| Problem::bad_input("There is no folder for runs."))?;
        let read = |patches: &[String]| -> Result<Spec> { check::parse_patched(&text, patches, self.methods) };
        let planned = plan(&sweep, &runs, self.methods, read)?;
        let mut view = SweepView::new(sweep, &experiment, planned, &self.forms);
        for run in &mut view.runs {
            run.standing = match self.archive.look(&run.planned.folder, &run.planned.resolved(self.methods)?)? {
                Found::Fresh => Standing::Waiting,
                Found::Begun => Standing::Interrupted,
                Found::Finished => Standing::Done,
            };
        }
        Ok(view)
    }

    /// What is still to be made takes as long as runs of the same kind have taken here.
    fn seconds_of(&self, sweep: &SweepView) -> Option<f64> {
        let experiment = self.draft.experiment();
        let attack = experiment.attack.as_ref().map(|pick| pick.id.as_str());
        let alike = self.runs.rows.iter().filter(|row| {
            !row.results.is_empty()
                && (row.data.as_str(), row.network.as_str(), row.attack.as_deref())
                    == (experiment.data.source.as_str(), experiment.network.id.as_str(), attack)
        });
        let newest = alike.max_by_key(|row| row.started)?;
        let one: f64 = newest.results.iter().map(|row| row.seconds).sum();
        let left = sweep.runs.iter().filter(|run| run.standing != Standing::Done).count();
        (one > 0.0).then_some(one * left as f64)
    }

    /// Puts a sweep on the window and reads what of it is there.
    pub(in crate::app) fn take_sweep(&mut self, sweep: SweepView) {
        let done = sweep.runs.iter().filter(|run| !matches!(run.standing, Standing::Waiting));
        let folders: Vec<PathBuf> = done.map(|run| run.planned.folder.clone()).collect();
        self.sweep = Some(sweep);
        for folder in folders {
            let archive = self.archive.clone();
            self.background.start("read run of a sweep", move || {
                let run = archive.load(&folder);
                Fetched::SweepRun(folder, Box::new(run))
            });
        }
        self.remember_sweep();
    }

    pub(super) fn on_sweep_run(&mut self, folder: &Path, run: Result<JobView>) {
        let of_folder = self.sweep.iter_mut().flat_map(|sweep| &mut sweep.runs);
        for known in of_folder.filter(|known| known.planned.folder == folder) {
            match &run {
                Ok(view) => known.view = Some(Box::new(slim(view))),
                Err(problem) => tracing::debug!("a run of the sweep cannot be read: {problem}"),
            }
        }
    }

    /// A sweep outlives the window: its list lies beside the draft, its runs in their folders.
    fn remember_sweep(&mut self) {
        let own = self.sweep.as_ref().filter(|sweep| sweep.sweep.experiment.is_some());
        let text = own.map(|sweep| sweep.sweep.to_toml()).transpose();
        if let Err(problem) = text.and_then(|text| self.config.save_sweep(text.as_deref())) {
            self.notices.warning(problem);
        }
    }

    fn resume_sweep(&mut self, engine: &dyn Engine) {
        if self.live_job().is_some() {
            return self.notices.info("A training runs; the sweep can begin when it has ended.", self.now);
        }
        if let Some(sweep) = &mut self.sweep {
            sweep.active = true;
        }
        self.screen = Screen::Watch;
        self.next_of_sweep(engine);
    }

    /// Takes note of the run that has ended and begins the next one.
    pub(in crate::app) fn tend_sweep(&mut self, engine: &dyn Engine) {
        let Some((id, at)) = self.sweep.as_ref().and_then(|sweep| sweep.current) else { return };
        let job = self.job.as_ref().filter(|job| job.id == Some(id));
        if job.is_some_and(JobView::is_live) {
            return;
        }
        let ended = job.map(|job| (job.state.clone(), slim(job)));
        if let Some(sweep) = &mut self.sweep {
            sweep.current = None;
            if let (Some(run), Some((state, view))) = (sweep.runs.get_mut(at), ended) {
                run.standing = match state {
                    JobState::Ended(Ending::Done) => Standing::Done,
                    // The next one would find no room either: the sweep waits with this one.
                    JobState::Ended(Ending::Failed(problem)) if problem.code == Code::DiskFull => Standing::Interrupted,
                    JobState::Ended(Ending::Failed(problem)) => Standing::Failed(problem.headline),
                    JobState::Ended(Ending::Stopped { kept: false }) => Standing::Waiting,
                    _ => Standing::Interrupted,
                };
                // Whoever stops one run has stopped the sweep.
                sweep.active &= matches!(run.standing, Standing::Done | Standing::Failed(_));
                run.view = Some(Box::new(view));
            }
        }
        self.next_of_sweep(engine);
    }

    fn next_of_sweep(&mut self, engine: &dyn Engine) {
        let Some(sweep) = self.sweep.as_mut().filter(|sweep| sweep.active) else { return };
        let Some(at) = sweep.next() else {
            sweep.active = false;
            let said = sweep.sentence().unwrap_or_else(|| sweep.summary());
            return self.notices.info(format!("The sweep is over. {said}"), self.now);
        };
        let run = &sweep.runs[at];
        let title = format!("{} · {}", sweep.title, run.label);
        let request = RunRequest { resume: run.standing == Standing::Interrupted, ..run.planned.request() };
        let launched = self.launch(request, title, engine);
        let Some(sweep) = self.sweep.as_mut() else { return };
        match launched {
            Ok(id) => {
                sweep.runs[at].standing = Standing::Running;
                sweep.current = Some((id, at));
            }
            Err(problem) => {
                sweep.active = false;
                self.notices.problem(problem);
            }
        }
    }

    /// The same values with seeds that were not tried yet.
    fn add_seeds(&mut self, engine: &dyn Engine) {
        let Some(sweep) = &self.sweep else { return };
        let mut more = sweep.sweep.clone();
        let base = more.experiment.as_ref().and_then(|table| table.get("seed")).and_then(toml::Value::as_integer);
        let seeds = more.vary.entry("seed".to_owned()).or_insert_with(|| vec![toml::Value::Integer(base.unwrap_or(0))]);
        let highest = seeds.iter().filter_map(toml::Value::as_integer).max().unwrap_or(0);
        seeds.extend((1..=LUCK).map(|more| toml::Value::Integer(highest + more)));
        match self.view_of(more) {
            Ok(view) => {
                self.take_sweep(view);
                self.resume_sweep(engine);
            }
            Err(problem) => self.notices.problem(problem),
        }
    }

    /// As many runs as stand side by side, evenly over the values; the plot above them shows all.
    fn compare_sweep(&mut self) {
        let Some(sweep) = &self.sweep else { return };
        let mut values: Vec<&str> = Vec::new();
        let mut done: Vec<PathBuf> = Vec::new();
        for run in sweep.runs.iter().filter(|run| run.standing == Standing::Done) {
            if !values.contains(&run.value.as_str()) {
                values.push(&run.value);
                done.push(run.planned.folder.clone());
            }
        }
        let most = done.len().min(MOST_COLUMNS);
        let chosen = (0..most).map(|at| if most < 2 { 0 } else { at * (done.len() - 1) / (most - 1) });
        let chosen: Vec<PathBuf> = chosen.map(|at| done[at].clone()).collect();
        self.change_comparison(CompareChange::Clear);
        for folder in chosen {
            self.change_comparison(CompareChange::Add(folder));
        }
        self.screen = Screen::Compare;
    }

    /// The sweep that was on the window when it was closed; what runs of it are there decides how it stands.
    pub(in crate::app) fn bring_sweep_back(&mut self, text: &str) {
        match Sweep::parse(text).and_then(|sweep| self.view_of(sweep)) {
            Ok(view) => self.take_sweep(view),
            Err(problem) => tracing::warn!("the sweep of the last time cannot be read: {problem}"),
        }
    }

    /// A folder of recorded runs, from a stick or a cluster: they are listed, and stand side by side.
    pub(super) fn open_recorded_sweep(&mut self, folders: Vec<PathBuf>) {
        let runs = self.runs_folder();
        for folder in &folders {
            let elsewhere = folder.parent() != runs.as_deref();
            if elsewhere && !self.guests.contains(folder) {
                self.guests.push(folder.clone());
            }
        }
        self.read_runs();
        let archive = self.archive.clone();
        self.background.start("read recorded runs", move || {
            let read = |folder: PathBuf| archive.load(&folder).map(|view| (folder, view));
            Fetched::Recorded(folders.into_iter().filter_map(|folder| read(folder).ok()).collect())
        });
    }

    pub(super) fn on_recorded(&mut self, runs: Vec<(PathBuf, JobView)>) {
        let known = |(folder, view): (PathBuf, JobView)| Some((folder, view.experiment.clone()?, view));
        let runs: Vec<_> = runs.into_iter().filter_map(known).collect();
        let experiments: Vec<&Experiment> = runs.iter().map(|(_, experiment, _)| &**experiment).collect();
        let told = differences(&experiments, &self.forms, self.methods);
        let mut sweep = SweepView::recorded(runs, &told);
        if sweep.runs.is_empty() {
            return self.notices.info("None of these runs can be put beside others.", self.now);
        }
        for run in &mut sweep.runs {
            run.view = run.view.take().map(|view| Box::new(slim(&view)));
        }
        if self.live_job().is_some() {
            self.screen = Screen::Runs;
            return self.notices.info("The runs are listed; a training goes on.", self.now);
        }
        self.sweep = Some(sweep);
        self.compare_sweep();
    }

    /// Opens a sweep's file; false when it is none.
    pub(super) fn open_sweep(&mut self, text: &str, path: &Path) -> bool {
        let Ok(sweep) = Sweep::parse(text) else { return false };
        match sweep.carrying(path).and_then(|sweep| self.view_of(sweep)) {
            Ok(view) => {
                self.take_sweep(view);
                self.screen = Screen::Watch;
            }
            Err(problem) => self.notices.problem(problem),
        }
        true
    }
}

/// Curves and results; pictures would fill the memory.
fn slim(job: &JobView) -> JobView {
    JobView {
        state: job.state.clone(),
        folder: job.folder.clone(),
        curves: job.curves.clone(),
        results: job.results.clone(),
        ..JobView::new(None, job.title.clone())
    }
}
