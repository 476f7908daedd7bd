#include "api/shapes.h"

#include <stddef.h>

#include "domain/job.h"
#include "domain/kind.h"
#include "domain/params.h"

#define WORDS(...)                                                                                           \
    (const char *const[])                                                                                    \
    {                                                                                                        \
        __VA_ARGS__, NULL                                                                                    \
    }
#define FIELDS(...)                                                                                          \
    (const rfi_field[])                                                                                      \
    {                                                                                                        \
        __VA_ARGS__,                                                                                         \
        {                                                                                                    \
            0                                                                                                \
        }                                                                                                    \
    }
#define NEEDED(name, schema, help)                                                                           \
    {                                                                                                        \
        name, schema, RFI_REQUIRED, help, NULL                                                               \
    }
#define NULLABLE(name, schema, help)                                                                         \
    {                                                                                                        \
        name, schema, RFI_REQUIRED | RFI_NULLABLE, help, NULL                                                \
    }
#define OPTION(name, schema, value, help)                                                                    \
    {                                                                                                        \
        name, schema, 0, help, value                                                                         \
    }
#define OPTION_OR_NULL(name, schema, help)                                                                   \
    {                                                                                                        \
        name, schema, RFI_NULLABLE, help, NULL                                                               \
    }

/* ---- small ones ------------------------------------------------------------------------------- */

#define SEED_MAX 9007199254740991.0

static const rfi_schema any = {.type = RFI_ANY};
static const rfi_schema text = {.type = RFI_STRING};
static const rfi_schema flag = {.type = RFI_BOOLEAN};
static const rfi_schema whole = {.type = RFI_INTEGER};
static const rfi_schema real = {.type = RFI_NUMBER};
static const rfi_schema time_text = {.type = RFI_STRING, .format = "date-time"};
static const rfi_schema count = {.type = RFI_INTEGER, .has_range = true, .low = 0, .high = SEED_MAX};
static const rfi_schema id = {.type = RFI_INTEGER, .has_range = true, .low = 1, .high = SEED_MAX};
static const rfi_schema seed = {.type = RFI_INTEGER, .has_range = true, .low = 0, .high = SEED_MAX};
static const rfi_schema sum = {.type = RFI_STRING, .length_low = 64, .length_high = 64};
static const rfi_schema cursor = {.type = RFI_STRING, .length_low = 1, .length_high = 64};
static const rfi_schema object = {.type = RFI_OBJECT, .is_open = true};
static const rfi_schema texts = {.type = RFI_ARRAY, .items = &text};

#define KIND_WORD(name, word, cells, summary) word,
#define STATE_WORD(name, word, final)         word,
static const char *const kind_words[] = {RF_KIND_TABLE(KIND_WORD) NULL};
static const char *const state_words[] = {RF_JOB_STATE_TABLE(STATE_WORD) NULL};
static const rfi_schema kind = {.type = RFI_STRING, .words = kind_words};
static const rfi_schema state = {.name = "JobState", .type = RFI_STRING, .words = state_words};

/* A page of a list. */
#define PAGE(shape, item)                                                                                    \
    static const rfi_schema shape##_items = {.type = RFI_ARRAY, .items = &item, .length_high = 200};         \
    const rfi_schema shape = {.type = RFI_OBJECT,                                                            \
                              .fields = FIELDS(NEEDED("items", &shape##_items, NULL),                        \
                                               NULLABLE("next_cursor", &cursor, "of the next page"))}

/* ---- accounts --------------------------------------------------------------------------------- */

static const rfi_schema email = {.type = RFI_STRING,
                                 .format = "email",
                                 .length_low = 3,
                                 .length_high = 254,
                                 .example = "\"ada@example.com\""};
static const rfi_schema password = {.type = RFI_STRING,
                                    .length_low = 8,
                                    .length_high = 72,
                                    .help = "8 to 72 bytes of UTF-8",
                                    .example = "\"correct horse battery\""};
static const rfi_schema given_password = {.type = RFI_STRING, .length_low = 1, .length_high = 1024};
static const rfi_schema person = {.type = RFI_STRING, .length_low = 1, .length_high = 100};
static const rfi_schema role = {.type = RFI_STRING, .words = WORDS("user", "admin")};
static const rfi_schema bearer = {.type = RFI_STRING, .words = WORDS("bearer")};
static const rfi_schema refresh_token = {.type = RFI_STRING, .length_low = 1, .length_high = 256};

const rfi_schema rfi_shape_register = {
    .name = "NewAccount",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("email", &email, NULL), NEEDED("password", &password, NULL),
                     OPTION_OR_NULL("name", &person, "as people call you")),
    .example = "{\"email\":\"ada@example.com\",\"password\":\"correct horse battery\",\"name\":\"Ada\"}"};
const rfi_schema rfi_shape_login = {
    .name = "Login",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("email", &text, NULL), NEEDED("password", &given_password, NULL)),
    .example = "{\"email\":\"ada@example.com\",\"password\":\"correct horse battery\"}"};
const rfi_schema rfi_shape_refresh = {
    .name = "Refresh", .type = RFI_OBJECT, .fields = FIELDS(NEEDED("refresh_token", &refresh_token, NULL))};
const rfi_schema rfi_shape_user = {
    .name = "User",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("id", &id, NULL), NEEDED("email", &text, NULL), NULLABLE("name", &text, NULL),
                     NEEDED("role", &role, NULL), NEEDED("created_at", &time_text, NULL))};
const rfi_schema rfi_shape_listed_user = {
    .name = "ListedUser",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("id", &id, NULL), NEEDED("email", &text, NULL), NULLABLE("name", &text, NULL),
                     NEEDED("role", &role, NULL), NEEDED("disabled", &flag, NULL),
                     NEEDED("created_at", &time_text, NULL))};
PAGE(rfi_shape_users, rfi_shape_listed_user);
const rfi_schema rfi_shape_tokens = {
    .name = "Tokens",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("access_token", &text, NULL),
                     NEEDED("refresh_token", &text, "good for one use: each gives the next"),
                     NEEDED("token_type", &bearer, NULL), NEEDED("expires_in", &count, "seconds"))};

/* ---- datasets --------------------------------------------------------------------------------- */

static const rfi_schema dataset_status = {.type = RFI_STRING,
                                          .words = WORDS("profiling", "ready", "invalid")};
static const rfi_schema top_item = {
    .type = RFI_OBJECT, .fields = FIELDS(NEEDED("value", &any, NULL), NEEDED("count", &count, NULL))};
static const rfi_schema top = {.type = RFI_ARRAY, .items = &top_item};
static const rfi_schema column = {
    .name = "Column",
    .type = RFI_OBJECT,
    .is_open = true,
    .fields =
        FIELDS(NEEDED("name", &text, "as the header has it"), NEEDED("type", &kind, NULL),
               NEEDED("missing", &count, NULL), NEEDED("distinct", &count, NULL),
               OPTION("label", &text, NULL,
                      "the name in requests: another where the header repeats or lacks a name"),
               OPTION("constant", &flag, NULL, NULL), OPTION("top", &top, NULL, "the most frequent values"),
               OPTION("chosen", &flag, NULL, "the owner chose its type"))};
static const rfi_schema columns = {.type = RFI_ARRAY, .items = &column};

const rfi_schema rfi_shape_uploaded = {
    .name = "Uploaded",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("id", &id, NULL), NEEDED("name", &text, NULL), NEEDED("size_bytes", &count, NULL),
                     NEEDED("sha256", &sum, NULL), NEEDED("status", &dataset_status, NULL))};
#define DATASET_FIELDS                                                                                       \
    NEEDED("id", &id, NULL), NEEDED("name", &text, NULL), NEEDED("size_bytes", &count, NULL),                \
        NEEDED("sha256", &sum, NULL), NEEDED("status", &dataset_status, NULL),                               \
        NULLABLE("n_rows", &count, NULL), NULLABLE("n_columns", &count, NULL),                               \
        NULLABLE("error", &text, "why it is invalid"), NEEDED("created_at", &time_text, NULL),               \
        NEEDED("updated_at", &time_text, NULL)
static const rfi_schema listed_dataset = {
    .name = "ListedDataset", .type = RFI_OBJECT, .fields = FIELDS(DATASET_FIELDS)};
const rfi_schema rfi_shape_dataset = {
    .name = "Dataset",
    .type = RFI_OBJECT,
    .fields = FIELDS(DATASET_FIELDS, NULLABLE("columns", &columns, NULL), NEEDED("warnings", &texts, NULL))};
PAGE(rfi_shape_datasets, listed_dataset);

static const rfi_schema kinds = {
    .type = RFI_OBJECT, .is_open = true, .items = &kind, .length_high = 10000, .help = "column name to type"};
const rfi_schema rfi_shape_kinds = {.name = "ColumnTypes",
                                    .type = RFI_OBJECT,
                                    .fields = FIELDS(NEEDED("columns", &kinds, NULL)),
                                    .example = "{\"columns\":{\"postcode\":\"categorical\"}}"};

/* ---- parameters of the models, from their table ------------------------------------------------- */

#define IS_EPOCHS(field) (offsetof(rf_params, field) == offsetof(rf_params, epochs))
#define SHAPE_INT(field, in, value, low_, high_, help_)                                                      \
    static const rfi_schema param_##field = {.type = RFI_INTEGER,                                            \
                                             .has_range = true,                                              \
                                             .low = low_,                                                    \
                                             .high = high_,                                                  \
                                             .bound = IS_EPOCHS(field) ? RFI_BOUND_EPOCHS : RFI_BOUND_NONE};
#define SHAPE_REAL(field, in, value, low_, high_, help_)                                                     \
    static const rfi_schema param_##field = {                                                                \
        .type = RFI_NUMBER, .has_range = true, .low = low_, .high = high_};
#define SHAPE_FLAG(field, in, value, help_) static const rfi_schema param_##field = {.type = RFI_BOOLEAN};
#define SHAPE_DIMS(field, in, width, n, low_, high_, help_)                                                  \
    static const rfi_schema width_##field = {                                                                \
        .type = RFI_INTEGER, .has_range = true, .low = low_, .high = high_};                                 \
    static const rfi_schema param_##field = {                                                                \
        .type = RFI_ARRAY, .items = &width_##field, .length_low = 1, .length_high = RF_DIMS_MAX};
RF_PARAM_TABLE(SHAPE_INT, SHAPE_REAL, SHAPE_FLAG, SHAPE_DIMS)

#define BY_SIZE "the size of the dataset chooses when neither epochs nor batch_size is given"
#define FIELD_INT(field, in, value, low, high, help)                                                         \
    {#field, &param_##field, (in)&MODEL ? 0 : RFI_ABSENT,                                                    \
     IS_EPOCHS(field) || offsetof(rf_params, field) == offsetof(rf_params, batch_size) ? help "; " BY_SIZE   \
                                                                                       : help,               \
     IS_EPOCHS(field) || offsetof(rf_params, field) == offsetof(rf_params, batch_size) ? NULL : #value},
#define FIELD_REAL(field, in, value, low, high, help)                                                        \
    {#field, &param_##field, (in)&MODEL ? 0 : RFI_ABSENT, help, #value},
#define FIELD_FLAG(field, in, value, help)                                                                   \
    {#field, &param_##field, (in)&MODEL ? 0 : RFI_ABSENT, help, (value) ? "true" : "false"},
#define FIELD_DIMS(field, in, width, n, low, high, help)                                                     \
    {#field, &param_##field, (in)&MODEL ? 0 : RFI_ABSENT, help, "[" #width "," #width "]"},

static const rfi_schema is_ctgan = {.type = RFI_STRING, .words = WORDS("ctgan")};
static const rfi_schema is_tvae = {.type = RFI_STRING, .words = WORDS("tvae")};
#define MODEL RF_IN_CTGAN
static const rfi_schema ctgan_config = {
    .name = "CtganConfig",
    .type = RFI_OBJECT,
    .fields = FIELDS(OPTION("model_type", &is_ctgan, "\"ctgan\"", NULL),
                     RF_PARAM_TABLE(FIELD_INT, FIELD_REAL, FIELD_FLAG, FIELD_DIMS) //
                     OPTION("seed", &seed, NULL, "drawn when it is left out"))};
#undef MODEL
#define MODEL RF_IN_TVAE
static const rfi_schema tvae_config = {
    .name = "TvaeConfig",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("model_type", &is_tvae, NULL),
                     RF_PARAM_TABLE(FIELD_INT, FIELD_REAL, FIELD_FLAG, FIELD_DIMS) //
                     OPTION("seed", &seed, NULL, "drawn when it is left out"))};
#undef MODEL
static const rfi_schema model_config = {.name = "ModelConfig",
                                        .type = RFI_CHOICE,
                                        .tag = "model_type",
                                        .variants =
                                            (const rfi_schema *const[]){&ctgan_config, &tvae_config, NULL},
                                        .help = "batch_size must be even and, for ctgan, a multiple of pac"};

/* ---- generation ------------------------------------------------------------------------------- */

static const rfi_schema sample_size = {.type = RFI_INTEGER, .bound = RFI_BOUND_SAMPLE_SIZE};
static const rfi_schema trials = {.type = RFI_INTEGER, .has_range = true, .low = 1, .high = 10000};
static const rfi_schema method = {.type = RFI_STRING, .words = WORDS("grid", "random", "bayesian")};
static const rfi_schema metric = {.type = RFI_STRING,
                                  .words = WORDS("quality_score", "statistical_similarity",
                                                 "correlation_preservation", "privacy", "ml_efficacy")};
static const rfi_schema format = {.type = RFI_STRING,
                                  .words = WORDS("csv", "tsv", "json", "xlsx", "parquet")};
static const rfi_schema optimization = {
    .name = "OptimizationConfig",
    .type = RFI_OBJECT,
    .fields = FIELDS(OPTION("enabled", &flag, "false", "true is not available in this version"),
                     OPTION("method", &method, "\"bayesian\"", NULL), OPTION("n_trials", &trials, "20", NULL),
                     OPTION("metric", &metric, "\"quality_score\"", NULL))};
static const rfi_schema value = {.type = RFI_SCALAR};
static const rfi_schema conditions = {.type = RFI_OBJECT,
                                      .is_open = true,
                                      .items = &value,
                                      .length_high = 64,
                                      .help = "column name to the value that every row shall have"};
static const rfi_schema constraint_list = {.type = RFI_ARRAY,
                                           .items = &object,
                                           .length_high = 64,
                                           .help = "not available in this version: must be empty"};
static const rfi_schema privacy = {
    .type = RFI_OBJECT,
    .fields = FIELDS(OPTION("enabled", &flag, "false", "true is not available in this version"))};

#define START_FIELDS                                                                                         \
    NEEDED("dataset_id", &id, NULL), OPTION("sample_size", &sample_size, NULL, "rows to make"),              \
        OPTION("model_config", &model_config, NULL, NULL),                                                   \
        OPTION_OR_NULL("optimization_config", &optimization, NULL),                                          \
        OPTION("output_format", &format, "\"csv\"", "csv and tsv are available in this version"),            \
        OPTION("include_metadata", &flag, "false",                                                           \
               "adds the model, parameters, seed, data hash and quality")

const rfi_schema rfi_shape_start = {
    .name = "Start",
    .type = RFI_OBJECT,
    .fields = FIELDS(START_FIELDS),
    .example =
        "{\"dataset_id\":123,\"sample_size\":5000,\"model_config\":{\"model_type\":\"ctgan\",\"epochs\":150,"
        "\"batch_size\":500,\"generator_dim\":[256,256],\"discriminator_dim\":[256,256]},"
        "\"output_format\":\"csv\",\"include_metadata\":true}"};
static const rfi_schema priority = {
    .type = RFI_INTEGER, .has_range = true, .low = 0, .high = RF_PRIORITY_DEFAULT, .help = "more is sooner"};
const rfi_schema rfi_shape_start_v2 = {
    .name = "StartAdvanced",
    .type = RFI_OBJECT,
    .fields = FIELDS(START_FIELDS, OPTION("conditions", &conditions, NULL, NULL),
                     OPTION("constraints", &constraint_list, NULL, NULL),
                     OPTION("privacy", &privacy, NULL, NULL), OPTION("priority", &priority, "5", NULL)),
    .example =
        "{\"dataset_id\":123,\"sample_size\":5000,\"model_config\":{\"model_type\":\"tvae\",\"seed\":7},"
        "\"conditions\":{\"region\":\"north\"}}"};

const rfi_schema rfi_shape_started = {.name = "Started",
                                      .type = RFI_OBJECT,
                                      .fields =
                                          FIELDS(NEEDED("id", &id, NULL), NEEDED("status", &state, NULL),
                                                 NULLABLE("queue_position", &count,
                                                          "1 is next; null while the dataset is profiled, "
                                                          "and once it is not waiting"))};
static const rfi_schema progress = {
    .name = "Progress",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("phase", &text, NULL), NULLABLE("epoch", &count, NULL),
                     NULLABLE("epochs", &count, NULL), NULLABLE("percent", &real, NULL),
                     NULLABLE("eta_s", &real, NULL), NULLABLE("generator_loss", &real, NULL),
                     NULLABLE("discriminator_loss", &real, NULL))};
static const rfi_schema quality = {
    .type = RFI_OBJECT, .is_open = true, .help = "scores from 0 to 1; null: undefined"};
const rfi_schema rfi_shape_status = {
    .name = "Status",
    .type = RFI_OBJECT,
    .fields =
        FIELDS(NEEDED("id", &id, NULL), NEEDED("status", &state, NULL), NULLABLE("progress", &progress, NULL),
               NULLABLE("queue_position", &count, NULL), NULLABLE("quality", &quality, "once completed"),
               NULLABLE("error", &text, "why it failed or was rejected"), NEEDED("attempt", &count, NULL),
               NEEDED("dataset_id", &id, NULL), NEEDED("sample_size", &count, NULL),
               OPTION("user_id", &id, NULL, "for administrators"), NEEDED("created_at", &time_text, NULL),
               NULLABLE("started_at", &time_text, NULL), NULLABLE("finished_at", &time_text, NULL))};
PAGE(rfi_shape_requests, rfi_shape_status);
const rfi_schema rfi_shape_link = {.name = "Link",
                                   .type = RFI_OBJECT,
                                   .fields = FIELDS(NEEDED("url", &text, "needs no login until it expires"),
                                                    NEEDED("expires_at", &time_text, NULL))};
const rfi_schema rfi_shape_report = {
    .name = "Report", .type = RFI_OBJECT, .is_open = true, .help = "every number of the quality report"};
const rfi_schema rfi_shape_reject = {.name = "Reject",
                                     .type = RFI_OBJECT,
                                     .fields = FIELDS(OPTION("reason", &text, NULL, "its owner sees it"))};

/* ---- the advanced form ------------------------------------------------------------------------- */

static const rfi_schema parameter = {
    .name = "Parameter",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("name", &text, NULL), NEEDED("type", &text, NULL),
                     NULLABLE("default", &any, NULL), NULLABLE("minimum", &real, NULL),
                     NULLABLE("maximum", &real, NULL), NEEDED("help", &text, NULL))};
static const rfi_schema parameters = {.type = RFI_ARRAY, .items = &parameter};
static const rfi_schema model_form = {
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("model_type", &text, NULL), NEEDED("parameters", &parameters, NULL))};
static const rfi_schema model_forms = {.type = RFI_ARRAY, .items = &model_form};
static const rfi_schema whole_range = {.type = RFI_OBJECT,
                                       .fields = FIELDS(NEEDED("minimum", &whole, NULL),
                                                        NEEDED("maximum", &whole, NULL),
                                                        NEEDED("default", &whole, NULL))};
const rfi_schema rfi_shape_config = {
    .name = "Config",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("models", &model_forms, NULL), NEEDED("sample_size", &whole_range, NULL),
                     NEEDED("output_formats", &texts, NULL),
                     NEEDED("optimization", &flag, "whether searches can be run"))};
static const rfi_schema cost = {
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("steps", &count, "of training"),
                     NEEDED("estimated_s", &real, "of a worker with two processor cores, without waiting"))};
const rfi_schema rfi_shape_validated = {
    .name = "Validated",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("valid", &flag, NULL), NEEDED("ready", &flag, "whether the dataset is profiled"),
                     NULLABLE("n_rows", &count, NULL), NULLABLE("n_columns", &count, NULL),
                     NULLABLE("parameters", &object, "as they would be used"), NULLABLE("cost", &cost, NULL),
                     NEEDED("warnings", &texts, "what is allowed and hardly meant"))};

/* ---- models ------------------------------------------------------------------------------------ */

static const rfi_schema sample_rows = {.type = RFI_INTEGER, .has_range = true, .low = 1, .high = 1e12};
static const rfi_schema sample_format = {.type = RFI_STRING, .words = WORDS("csv", "ndjson")};
const rfi_schema rfi_shape_sample = {
    .name = "Sample",
    .type = RFI_OBJECT,
    .fields = FIELDS(
        NEEDED("rows", &sample_rows, NULL), OPTION("conditions", &conditions, NULL, NULL),
        OPTION("seed", &seed, NULL, "drawn when it is left out"),
        OPTION("format", &sample_format, "\"csv\"", "Accept: application/x-ndjson asks for the other too")),
    .example = "{\"rows\":1000,\"conditions\":{\"region\":\"north\"},\"seed\":7}"};
const rfi_schema rfi_shape_model = {
    .name = "Model",
    .type = RFI_OBJECT,
    .fields =
        FIELDS(NEEDED("id", &id, NULL), NEEDED("request_id", &id, NULL), NEEDED("dataset_id", &id, NULL),
               NEEDED("dataset_name", &text, NULL), NEEDED("model_type", &text, NULL),
               NEEDED("n_rows", &count, "of the table that it learned"), NEEDED("n_columns", &count, NULL),
               NEEDED("size_bytes", &count, NULL), NEEDED("seed", &count, NULL),
               NULLABLE("parameters", &object, NULL), NULLABLE("quality", &quality, NULL),
               NEEDED("created_at", &time_text, NULL))};
PAGE(rfi_shape_models, rfi_shape_model);

/* ---- operations -------------------------------------------------------------------------------- */

static const rfi_schema worker = {
    .name = "Worker",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("id", &whole, NULL), NEEDED("host", &text, NULL), NEEDED("version", &text, NULL),
                     NEEDED("device", &text, NULL), NEEDED("queue", &text, NULL), NEEDED("pid", &count, NULL),
                     NEEDED("memory_bytes", &count, NULL), NEEDED("device_memory_bytes", &count, NULL),
                     NEEDED("rss_bytes", &count, NULL), NULLABLE("job_id", &id, NULL),
                     NEEDED("state", &text, "running, draining or ending"),
                     NULLABLE("started_at", &time_text, NULL), NULLABLE("heartbeat_at", &time_text, NULL))};
static const rfi_schema workers = {.type = RFI_ARRAY, .items = &worker};
const rfi_schema rfi_shape_workers = {.type = RFI_OBJECT, .fields = FIELDS(NEEDED("items", &workers, NULL))};
static const rfi_schema queue = {
    .name = "Queue",
    .type = RFI_OBJECT,
    .fields = FIELDS(
        NEEDED("name", &text, NULL), NEEDED("waiting", &count, NULL), NEEDED("delayed", &count, NULL),
        NEEDED("running", &count, NULL), NEEDED("oldest_s", &real, NULL), NEEDED("paused", &flag, NULL),
        NEEDED("completed", &count, "since this process began"), NEEDED("failed", &count, NULL))};
static const rfi_schema queues = {.type = RFI_ARRAY, .items = &queue};
const rfi_schema rfi_shape_queues = {.type = RFI_OBJECT, .fields = FIELDS(NEEDED("items", &queues, NULL))};
static const rfi_schema dead = {
    .name = "DeadLetter",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("id", &id, NULL), NEEDED("user_id", &id, NULL), NEEDED("kind", &text, NULL),
                     NEEDED("error_class", &text, NULL), NEEDED("error", &text, NULL),
                     NEEDED("attempt", &count, NULL), NEEDED("crashes", &count, NULL),
                     NEEDED("created_at", &time_text, NULL), NULLABLE("finished_at", &time_text, NULL))};
PAGE(rfi_shape_dead, dead);
static const rfi_schema healthy = {.type = RFI_STRING, .words = WORDS("ok")};
const rfi_schema rfi_shape_health = {
    .name = "Health",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("status", &healthy, NULL), NEEDED("version", &text, NULL))};
const rfi_schema rfi_shape_readiness = {
    .name = "Readiness",
    .type = RFI_OBJECT,
    .fields = FIELDS(NEEDED("database", &flag, NULL), NEEDED("queue", &flag, NULL),
                     NEEDED("storage", &flag, NULL), NEEDED("threads", &flag, NULL))};

/* ---- queries ----------------------------------------------------------------------------------- */

static const rfi_schema limit = {.type = RFI_INTEGER, .has_range = true, .low = 1, .high = 200};
const rfi_query rfi_query_page[] = {
    {"limit", &limit, "items of a page; 50"}, {"cursor", &cursor, "next_cursor of the page before"}, {0}};
const rfi_query rfi_query_requests[] = {{"limit", &limit, "items of a page; 50"},
                                        {"cursor", &cursor, "next_cursor of the page before"},
                                        {"status", &state, "only those in this state"},
                                        {0}};
const rfi_query rfi_query_download[] = {{"inline", &flag, "1: the bytes themselves; ranges work"}, {0}};
