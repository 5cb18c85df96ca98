CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE actions (
	id TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	"trigger" TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	state TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	started_at TEXT NOT NULL, 
	finished_at TEXT, 
	CONSTRAINT pk_actions PRIMARY KEY (id), 
	CONSTRAINT uq_actions_key UNIQUE ("key")
);
CREATE INDEX ix_actions_started_at ON actions (started_at);
CREATE TABLE alerts (
	id TEXT NOT NULL, 
	endpoint TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	state TEXT NOT NULL, 
	value DOUBLE NOT NULL, 
	threshold DOUBLE NOT NULL, 
	message TEXT NOT NULL, 
	window_start TEXT NOT NULL, 
	opened_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	resolved_at TEXT, 
	CONSTRAINT pk_alerts PRIMARY KEY (id)
);
CREATE INDEX ix_alerts_endpoint_opened_at ON alerts (endpoint, opened_at);
CREATE UNIQUE INDEX ux_alerts_one ON alerts (endpoint, rule, subject) WHERE state = 'firing';
CREATE TABLE audit (
	seq INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	action TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	payload TEXT NOT NULL, 
	previous TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	public_key TEXT NOT NULL, 
	signature TEXT NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (seq), 
	CONSTRAINT uq_audit_digest UNIQUE (digest)
);
CREATE TABLE bundles (
	digest TEXT NOT NULL, 
	run TEXT NOT NULL, 
	format TEXT NOT NULL, 
	bytes INTEGER NOT NULL, 
	public_key TEXT NOT NULL, 
	signature TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	CONSTRAINT pk_bundles PRIMARY KEY (digest)
);
CREATE INDEX ix_bundles_run ON bundles (run);
CREATE TABLE cursors (
	name TEXT NOT NULL, 
	position TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_cursors PRIMARY KEY (name)
);
CREATE TABLE deployments (
	id TEXT NOT NULL, 
	endpoint TEXT NOT NULL, 
	generation INTEGER NOT NULL, 
	model TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	bundle TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	at TEXT NOT NULL, 
	CONSTRAINT pk_deployments PRIMARY KEY (id), 
	CONSTRAINT uq_deployments_endpoint_generation UNIQUE (endpoint, generation)
);
CREATE TABLE edges (
	source TEXT NOT NULL, 
	target TEXT NOT NULL, 
	role TEXT NOT NULL, 
	at TEXT NOT NULL, 
	CONSTRAINT pk_edges PRIMARY KEY (source, target, role)
)
 WITHOUT ROWID

;
CREATE INDEX ix_edges_target_source_role ON edges (target, source, role);
CREATE TABLE evaluations (
	id TEXT NOT NULL, 
	bundle TEXT NOT NULL, 
	champion TEXT, 
	data TEXT NOT NULL, 
	objective TEXT NOT NULL, 
	gates TEXT NOT NULL, 
	verdict TEXT NOT NULL, 
	record TEXT NOT NULL, 
	at TEXT NOT NULL, 
	CONSTRAINT pk_evaluations PRIMARY KEY (id)
);
CREATE INDEX ix_evaluations_at ON evaluations (at);
CREATE INDEX ix_evaluations_bundle ON evaluations (bundle);
CREATE TABLE executions (
	"key" TEXT NOT NULL, 
	step TEXT NOT NULL, 
	inputs TEXT NOT NULL, 
	outputs TEXT NOT NULL, 
	seconds DOUBLE NOT NULL, 
	finished_at TEXT NOT NULL, 
	CONSTRAINT pk_executions PRIMARY KEY ("key")
);
CREATE INDEX ix_executions_step_finished_at ON executions (step, finished_at);
CREATE TABLE leases (
	name TEXT NOT NULL, 
	holder TEXT NOT NULL, 
	token INTEGER NOT NULL, 
	expires_at TEXT NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (name)
);
CREATE TABLE model_versions (
	model TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	bundle TEXT NOT NULL, 
	run TEXT NOT NULL, 
	evaluation TEXT, 
	state TEXT NOT NULL, 
	note TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	CONSTRAINT pk_model_versions PRIMARY KEY (model, number)
);
CREATE INDEX ix_model_versions_bundle ON model_versions (bundle);
CREATE INDEX ix_model_versions_model_state ON model_versions (model, state);
CREATE TABLE runs (
	id TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	function TEXT NOT NULL, 
	params TEXT NOT NULL, 
	seed INTEGER NOT NULL, 
	data TEXT NOT NULL, 
	features TEXT NOT NULL, 
	code TEXT NOT NULL, 
	git_commit TEXT, 
	patch TEXT, 
	environment TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	started_at TEXT NOT NULL, 
	finished_at TEXT, 
	bundle TEXT, 
	content_hash TEXT, 
	probe_hash TEXT, 
	log TEXT, 
	error TEXT, kind TEXT DEFAULT 'training' NOT NULL, name TEXT DEFAULT '' NOT NULL, experiment TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_runs PRIMARY KEY (id), 
	CONSTRAINT uq_runs_number UNIQUE (number)
);
CREATE INDEX ix_runs_key ON runs ("key");
CREATE INDEX ix_runs_started_at ON runs (started_at);
CREATE INDEX ix_runs_status ON runs (status);
CREATE TABLE series (
	endpoint TEXT NOT NULL, 
	metric TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	window_start TEXT NOT NULL, 
	window_end TEXT NOT NULL, 
	model TEXT NOT NULL, 
	value DOUBLE NOT NULL, 
	n INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	CONSTRAINT pk_series PRIMARY KEY (endpoint, metric, subject, model, window_start)
);
CREATE TABLE sign_offs (
	id TEXT NOT NULL, 
	objective TEXT NOT NULL, 
	name TEXT NOT NULL, 
	role TEXT NOT NULL, 
	note TEXT NOT NULL, 
	at TEXT NOT NULL, 
	CONSTRAINT pk_sign_offs PRIMARY KEY (id)
);
CREATE INDEX ix_sign_offs_objective ON sign_offs (objective);
CREATE TABLE versions (
	"commit" TEXT NOT NULL, 
	dataset TEXT NOT NULL, 
	content TEXT NOT NULL, 
	schema TEXT NOT NULL, 
	rows INTEGER NOT NULL, 
	bytes INTEGER NOT NULL, 
	producer TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	CONSTRAINT pk_versions PRIMARY KEY (dataset, "commit")
);
CREATE INDEX ix_versions_commit ON versions ("commit");
CREATE INDEX ix_versions_dataset_created_at ON versions (dataset, created_at);
CREATE TABLE approvals (
	id TEXT NOT NULL, 
	model TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	name TEXT NOT NULL, 
	role TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	at TEXT NOT NULL, 
	CONSTRAINT pk_approvals PRIMARY KEY (id), 
	CONSTRAINT fk_approvals_model_versions FOREIGN KEY(model, number) REFERENCES model_versions (model, number) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_approvals_model_number ON approvals (model, number);
CREATE TABLE artifacts (
	run TEXT NOT NULL, 
	name TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	bytes INTEGER NOT NULL, 
	CONSTRAINT pk_artifacts PRIMARY KEY (run, name), 
	CONSTRAINT fk_artifacts_runs FOREIGN KEY(run) REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE gate_results (
	evaluation TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	gate TEXT NOT NULL, 
	metric TEXT NOT NULL, 
	slice TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	value DOUBLE, 
	low DOUBLE, 
	high DOUBLE, 
	reference DOUBLE, 
	threshold DOUBLE, 
	n INTEGER NOT NULL, 
	outcome TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	CONSTRAINT pk_gate_results PRIMARY KEY (evaluation, position), 
	CONSTRAINT fk_gate_results_evaluations FOREIGN KEY(evaluation) REFERENCES evaluations (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE params (
	run TEXT NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, number DOUBLE, 
	CONSTRAINT pk_params PRIMARY KEY (run, name), 
	CONSTRAINT fk_params_runs FOREIGN KEY(run) REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_params_name_value ON params (name, value);
CREATE TABLE refs (
	dataset TEXT NOT NULL, 
	name TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	"commit" TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_refs PRIMARY KEY (dataset, name), 
	CONSTRAINT fk_refs_versions FOREIGN KEY(dataset, "commit") REFERENCES versions (dataset, "commit") DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE transitions (
	id TEXT NOT NULL, 
	model TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	"before" TEXT, 
	"after" TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	at TEXT NOT NULL, 
	CONSTRAINT pk_transitions PRIMARY KEY (id), 
	CONSTRAINT fk_transitions_model_versions FOREIGN KEY(model, number) REFERENCES model_versions (model, number) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_transitions_model_number ON transitions (model, number);
CREATE TABLE ref_moves (
	dataset TEXT NOT NULL, 
	name TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	"commit" TEXT NOT NULL, 
	at TEXT NOT NULL, 
	CONSTRAINT pk_ref_moves PRIMARY KEY (dataset, name, number)
);
CREATE INDEX ix_runs_experiment ON runs (experiment);
CREATE INDEX ix_params_name_number ON params (name, number);
CREATE TABLE tags (
	run TEXT NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_tags PRIMARY KEY (run, name), 
	CONSTRAINT fk_tags_runs FOREIGN KEY(run) REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_tags_name_value ON tags (name, value);
CREATE TABLE metric_points (
	run TEXT NOT NULL, 
	name TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	value DOUBLE NOT NULL, 
	at TEXT NOT NULL, 
	CONSTRAINT pk_metric_points PRIMARY KEY (run, name, number), 
	CONSTRAINT fk_metric_points_runs FOREIGN KEY(run) REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED
)
 WITHOUT ROWID

;
CREATE TABLE metrics (
	run TEXT NOT NULL, 
	name TEXT NOT NULL, 
	value DOUBLE NOT NULL, 
	step INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	low DOUBLE NOT NULL, 
	high DOUBLE NOT NULL, 
	n INTEGER NOT NULL, 
	CONSTRAINT pk_metrics PRIMARY KEY (run, name), 
	CONSTRAINT fk_metrics_runs FOREIGN KEY(run) REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_metrics_name_value ON metrics (name, value);
CREATE TABLE mlflow_experiments (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	state TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_mlflow_experiments PRIMARY KEY (id), 
	CONSTRAINT uq_mlflow_experiments_name UNIQUE (name)
);
CREATE TABLE mlflow_models (
	id TEXT NOT NULL, 
	experiment TEXT NOT NULL, 
	name TEXT NOT NULL, 
	status TEXT NOT NULL, 
	type TEXT NOT NULL, 
	run TEXT NOT NULL, 
	params TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	state TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_mlflow_models PRIMARY KEY (id)
);
CREATE INDEX ix_mlflow_models_experiment_created_at ON mlflow_models (experiment, created_at);
CREATE INDEX ix_mlflow_models_run ON mlflow_models (run);
CREATE TABLE mlflow_registered_models (
	name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_mlflow_registered_models PRIMARY KEY (name)
);
CREATE TABLE mlflow_aliases (
	model TEXT NOT NULL, 
	name TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	CONSTRAINT pk_mlflow_aliases PRIMARY KEY (model, name), 
	CONSTRAINT fk_mlflow_aliases_model_versions FOREIGN KEY(model, number) REFERENCES model_versions (model, number) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_mlflow_aliases_model_number ON mlflow_aliases (model, number);
CREATE TABLE mlflow_inputs (
	run TEXT NOT NULL, 
	name TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	source_type TEXT NOT NULL, 
	source TEXT NOT NULL, 
	schema TEXT NOT NULL, 
	profile TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	CONSTRAINT pk_mlflow_inputs PRIMARY KEY (run, name, digest), 
	CONSTRAINT fk_mlflow_inputs_runs FOREIGN KEY(run) REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_mlflow_inputs_digest ON mlflow_inputs (digest);
CREATE INDEX ix_mlflow_inputs_name ON mlflow_inputs (name);
CREATE TABLE mlflow_model_files (
	model TEXT NOT NULL, 
	name TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	bytes INTEGER NOT NULL, 
	CONSTRAINT pk_mlflow_model_files PRIMARY KEY (model, name), 
	CONSTRAINT fk_mlflow_model_files_mlflow_models FOREIGN KEY(model) REFERENCES mlflow_models (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE mlflow_model_metrics (
	model TEXT NOT NULL, 
	run TEXT NOT NULL, 
	name TEXT NOT NULL, 
	dataset TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	value DOUBLE NOT NULL, 
	step INTEGER NOT NULL, 
	at TEXT NOT NULL, 
	CONSTRAINT pk_mlflow_model_metrics PRIMARY KEY (model, run, name, dataset, digest), 
	CONSTRAINT fk_mlflow_model_metrics_mlflow_models FOREIGN KEY(model) REFERENCES mlflow_models (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE mlflow_model_uses (
	run TEXT NOT NULL, 
	model TEXT NOT NULL, 
	role TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	CONSTRAINT pk_mlflow_model_uses PRIMARY KEY (run, model, role), 
	CONSTRAINT fk_mlflow_model_uses_runs FOREIGN KEY(run) REFERENCES runs (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_mlflow_model_uses_model ON mlflow_model_uses (model);
CREATE TABLE mlflow_version_notes (
	model TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	source TEXT NOT NULL, 
	logged TEXT NOT NULL, 
	description TEXT NOT NULL, 
	run_link TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	state TEXT NOT NULL, 
	updated_at TEXT NOT NULL, 
	CONSTRAINT pk_mlflow_version_notes PRIMARY KEY (model, number), 
	CONSTRAINT fk_mlflow_version_notes_model_versions FOREIGN KEY(model, number) REFERENCES model_versions (model, number) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX ix_mlflow_version_notes_logged ON mlflow_version_notes (logged);
INSERT INTO alembic_version VALUES ('0004');
