/* options.h - the command line, read once into a struct.
 *
 * Every option stands in one table (RF_OPTION_TABLE): the parser, `--help` and the refusal of an option that a command
 * does not have all follow from it.
 */
#ifndef RF_CLI_OPTIONS_H
#define RF_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/error.h"

typedef enum rf_command {
    RF_CMD_SYNTH = 1,
    RF_CMD_FIT = 2,
    RF_CMD_SAMPLE = 4,
    RF_CMD_EVALUATE = 8,
    RF_CMD_PROFILE = 16,
    RF_CMD_DEMO_DATA = 32,
    RF_CMD_DEVICES = 64,
    RF_CMD_SERVE = 128,
    RF_CMD_WORKER = 256,
    RF_CMD_CONFIG = 512,
    RF_CMD_DB = 1024,
    RF_CMD_ADMIN = 2048,
} rf_command;

/* groups of commands */
#define RF_CMD_TRAINS (RF_CMD_SYNTH | RF_CMD_FIT)
#define RF_CMD_WRITES (RF_CMD_SYNTH | RF_CMD_SAMPLE)
#define RF_CMD_READS  (RF_CMD_TRAINS | RF_CMD_EVALUATE | RF_CMD_PROFILE)
#define RF_CMD_WORKS  (RF_CMD_TRAINS | RF_CMD_SAMPLE)
#define RF_CMD_ALL    4095

/* id, long name, short name or 0, argument or NULL, commands, help */
#define RF_OPTION_TABLE(X)                                                                                   \
    X(OUTPUT, "output", 'o', "FILE", RF_CMD_WORKS, "where the result goes; - is standard output")            \
    X(MODEL, "model", 0, "NAME", RF_CMD_TRAINS, "ctgan (default) or tvae")                                   \
    X(EPOCHS, "epochs", 0, "E", RF_CMD_TRAINS, "passes over the table (default: by its size)")               \
    X(SET, "set", 0, "NAME=VALUE", RF_CMD_TRAINS, "a parameter of the model, listed below; may repeat")      \
    X(ROWS, "rows", 'n', "N", RF_CMD_WRITES | RF_CMD_DEMO_DATA,                                              \
      "rows to make (default: as many as were learned from; demo-data: 10000)")                              \
    X(WHERE, "where", 0, "COLUMN=VALUE", RF_CMD_WRITES, "only rows with this value; may repeat")             \
    X(SEED, "seed", 0, "S", RF_CMD_WORKS | RF_CMD_EVALUATE | RF_CMD_DEMO_DATA,                               \
      "same data, parameters and seed: same bytes (default: drawn and printed; demo-data: 1)")               \
    X(REPORT, "report", 0, "FILE", RF_CMD_SYNTH | RF_CMD_EVALUATE,                                           \
      "quality report, .html or .json; may repeat")                                                          \
    X(HOLDOUT, "holdout", 0, "FILE", RF_CMD_SYNTH | RF_CMD_EVALUATE,                                         \
      "real rows not learned from: a yardstick for copies")                                                  \
    X(RESUME, "resume", 0, NULL, RF_CMD_TRAINS, "go on at the checkpoint <output>.ckpt")                     \
    X(COMPAT, "compat", 0, NULL, RF_CMD_TRAINS, "behave as the public reference, without our repairs")       \
    X(MAX_CATEGORIES, "max-categories", 0, "N", RF_CMD_TRAINS,                                               \
      "modelled categories of a column (default 1000)")                                                      \
    X(TYPE, "type", 0, "COLUMN=KIND", RF_CMD_READS,                                                          \
      "integer, continuous, boolean, datetime, categorical, id or ignored; may repeat")                      \
    X(METADATA, "metadata", 0, "FILE", RF_CMD_READS, "kinds of the columns, in SDV's JSON form")             \
    X(FORMAT, "format", 0, "NAME", RF_CMD_READS, "csv or tsv, whatever the suffix of the input")             \
    X(DELIMITER, "delimiter", 0, "CHAR", RF_CMD_READS, "one of , ; | or tab (default: found)")               \
    X(NO_HEADER, "no-header", 0, NULL, RF_CMD_READS, "the first line is a row")                              \
    X(LATIN1, "latin1", 0, NULL, RF_CMD_READS, "the input is ISO 8859-1, not UTF-8")                         \
    X(MISSING, "missing", 0, "TEXT", RF_CMD_READS,                                                           \
      "a text that means missing, instead of the usual ones; may repeat")                                    \
    X(DEVICE, "device", 0, "NAME", RF_CMD_WORKS | RF_CMD_WORKER, "auto (default), cpu, cuda or cuda:N")      \
    X(THREADS, "threads", 0, "N", RF_CMD_WORKS | RF_CMD_READS | RF_CMD_WORKER,                               \
      "threads (default: all processors)")                                                                   \
    X(WORKERS, "workers", 0, "N", RF_CMD_SERVE, "worker processes to start (default: WORKERS, 1)")           \
    X(FD, "fd", 0, "N", RF_CMD_WORKER, "the descriptor of the socket to the server that started it")         \
    X(EMAIL, "email", 0, "ADDRESS", RF_CMD_ADMIN, "whose account it is")                                     \
    X(ROLE, "role", 0, "ROLE", RF_CMD_ADMIN, "user (default) or admin")                                      \
    X(NAME, "name", 0, "NAME", RF_CMD_ADMIN, "what the user is called")                                      \
    X(CONSTRUCTION, "construction", 0, "NAME", RF_CMD_WORKS | RF_CMD_WORKER,                                 \
      "how a GPU works: auto (default), plain, graph or fused")                                              \
    X(PRECISION, "precision", 0, "NAME", RF_CMD_WORKS | RF_CMD_WORKER,                                       \
      "how a GPU multiplies: 3xtf32 (default, as exact as float), tf32 or bf16")                             \
    X(QUIET, "quiet", 'q', NULL, RF_CMD_ALL, "no progress, notes or summary")                                \
    X(JSON, "json", 0, NULL, RF_CMD_ALL, "one JSON document on standard output")                             \
    X(HELP, "help", 'h', NULL, RF_CMD_ALL, "this text")

typedef enum rf_option_id {
#define RF_OPTION_ENUM(id, ...) RF_OPT_##id,
    RF_OPTION_TABLE(RF_OPTION_ENUM)
#undef RF_OPTION_ENUM
        RF_OPT_COUNT
} rf_option_id;

/* A list of texts, in the order given. */
typedef struct rf_texts {
    const char **text;
    int32_t n;
} rf_texts;

typedef struct rf_options {
    rf_arena arena;
    rf_command command;
    const char *program;           /* argv[0]                                  */
    rf_texts operands;             /* what is not an option                    */
    rf_texts values[RF_OPT_COUNT]; /* of each option that takes an argument  */
    bool given[RF_OPT_COUNT];
} rf_options;

/* Reads argv after the command's name. USAGE for an unknown option (with the nearest one), a missing argument, one too many operands.
 * Texts are lent by argv. Free with rf_options_free in any case. */
rf_code rf_options_parse(rf_options *out, rf_command command, int argc, char **argv,
                         rf_error *err) RF_MUST_CHECK;
void rf_options_free(rf_options *options);

/* The last text given for an option, or `fallback`. */
const char *rf_options_text(const rf_options *options, rf_option_id id, const char *fallback);

/* A whole number in low..high; `fallback` when not given; USAGE otherwise. */
rf_code rf_options_int(const rf_options *options, rf_option_id id, int64_t low, int64_t high,
                       int64_t fallback, int64_t *out, rf_error *err) RF_MUST_CHECK;

/* Exactly `wanted` operands, called `names` in the message ("REAL SYNTH"). */
rf_code rf_options_operands(const rf_options *options, int32_t wanted, const char *names,
                            rf_error *err) RF_MUST_CHECK;

/* The command's part of the help text. */
void rf_options_help(rf_command command, rf_buf *out);

#endif
