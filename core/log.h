/* log.h - what happened, one JSON object a line.
 *
 *     rf_log(RF_LOG_INFO, "serve", "listening on %s", address);
 *     rf_log_write(&(rf_log_event){.level = RF_LOG_WARNING, .module = "accounts", .user_id = id, .request_id = request,
 *                                  .message = "a login failed",
 *                                  .metadata = (rf_log_pair[]){RF_LOG_TEXT("address", peer), RF_LOG_NUMBER("failures", n)},
 *                                  .n_metadata = 2});
 *
 *     {"timestamp":"2024-12-13T10:30:00.125Z","level":"warning","module":"accounts","user_id":7,"request_id":"4f…",
 *      "message":"a login failed","metadata":{"address":"127.0.0.1","failures":3}}
 *
 * One log a process: it goes to standard error until rf_log_open says otherwise. A line is at most RF_LOG_LINE_MAX bytes and written
 * by one call, so that lines of several processes on one pipe do not mix; what is too long is cut. Text is made valid UTF-8 and control
 * characters are escaped: nobody can begin a line of their own. Pairs whose name speaks of a password, token, secret, key or authorization
 * are written as "[hidden]". A user's rows are never logged.
 *
 * Threads: any. Logging never fails the caller; lines that could not be written are counted (rf_log_lost).
 */
#ifndef RF_CORE_LOG_H
#define RF_CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef enum rf_log_level {
    RF_LOG_DEBUG,
    RF_LOG_INFO,
    RF_LOG_WARNING,
    RF_LOG_ERROR,
    RF_LOG_LEVEL_COUNT
} rf_log_level;

enum { RF_LOG_LINE_MAX = 4096 };

typedef struct rf_log_options {
    rf_log_level least;   /* what is less than this is dropped */
    const char *path;     /* NULL: standard error */
    int64_t rotate_bytes; /* a file that would grow past this becomes path.1; 0: another process rotates it */
    int backups;          /* path.1 (the newest) to path.N are kept */
} rf_log_options;

rf_code rf_log_open(const rf_log_options *options, rf_error *err) RF_MUST_CHECK;
void rf_log_close(void); /* back to standard error */

typedef struct rf_log_pair {
    const char *name, *text; /* text may be NULL */
    int64_t number;
    bool is_number;
} rf_log_pair;

#define RF_LOG_TEXT(name_, text_)     ((rf_log_pair){.name = (name_), .text = (text_)})
#define RF_LOG_NUMBER(name_, number_) ((rf_log_pair){.name = (name_), .number = (number_), .is_number = true})

typedef struct rf_log_event {
    rf_log_level level;
    const char *module;     /* the part of the program: "api", "scheduler" */
    int64_t user_id;        /* 0: nobody's */
    const char *request_id; /* NULL: no request's */
    const char *message;
    const rf_log_pair *metadata;
    int n_metadata;
} rf_log_event;

void rf_log_write(const rf_log_event *event);
void rf_log(rf_log_level level, const char *module, const char *format, ...) RF_PRINTF(3, 4);

/* The sentence of an error, with its code, detail and context as metadata. */
void rf_log_failure(rf_log_level level, const char *module, const rf_error *failure);

/* Whether a line of that level would be written: for events that are dear to collect. */
bool rf_log_wants(rf_log_level level);

const char *rf_log_level_name(rf_log_level level);           /* "warning" */
bool rf_log_level_find(rf_log_level *out, const char *name); /* any case */

int64_t rf_log_lost(void);

/* The line of an event, without writing it: at most RF_LOG_LINE_MAX bytes with the final '\n', no NUL. For tests and for
 * sinks of other kinds. Returns its length. */
size_t rf_log_format(char out[RF_LOG_LINE_MAX], const rf_log_event *event, int64_t wall_us);

#endif
