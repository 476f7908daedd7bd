#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/text.h"

enum { MESSAGE_MAX = 1024, CLOSING_BYTES = 64 };

/* ---- levels ---------------------------------------------------------------------------------- */

static const char *const level_names[RF_LOG_LEVEL_COUNT] = {"debug", "info", "warning", "error"};

const char *rf_log_level_name(rf_log_level level)
{
    return (unsigned)level < RF_LOG_LEVEL_COUNT ? level_names[level] : "unknown";
}

bool rf_log_level_find(rf_log_level *out, const char *name)
{
    for (int i = 0; i < RF_LOG_LEVEL_COUNT; i++)
        if (rf_text_equal_nocase(name, strlen(name), level_names[i])) {
            *out = (rf_log_level)i;
            return true;
        }
    return false;
}

/* ---- a line ---------------------------------------------------------------------------------- */

/* Text that stops where its room ends. What does not fit as a whole is not begun. */
typedef struct line {
    char *text;
    size_t length, room;
} line;

static bool put(line *out, const char *text, size_t length)
{
    if (length > out->room - out->length)
        return false;
    memcpy(out->text + out->length, text, length);
    out->length += length;
    return true;
}

static bool put_text(line *out, const char *text)
{
    return put(out, text, strlen(text));
}

static bool put_number(line *out, int64_t number)
{
    char digits[24];
    return put(out, digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)number));
}

/* The bytes of the UTF-8 character at `at`; 0 when they are none. */
static size_t character_bytes(const unsigned char *at)
{
    const size_t n = at[0] < 0x80 ? 1 : at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    for (size_t i = 1; i < n; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return rf_utf8_find_invalid((const char *)at, n) < 0 ? n : 0;
}

static bool put_character(line *out, const unsigned char *at, size_t n_bytes)
{
    char escape[8];
    if (n_bytes == 0)
        return put_text(out, "\\ufffd");
    if (*at == '"' || *at == '\\')
        return put(out, (const char[]){'\\', (char)*at}, 2);
    if (*at == '\n')
        return put_text(out, "\\n");
    if (*at < 0x20 || *at == 0x7F)
        return put(out, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", *at));
    return put(out, (const char *)at, n_bytes);
}

/* A JSON string; cut, and closed with dots, when it needs more than `most` bytes. */
static bool put_string(line *out, const char *text, size_t most)
{
    const size_t end = out->length + most < out->room ? out->length + most : out->room;
    if (end - out->length < 5)
        return false;
    const size_t room = out->room;
    put_text(out, "\"");
    out->room = end - 4;
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        const size_t n = character_bytes(at);
        if (!put_character(out, at, n))
            break;
        at += n ? n : 1;
    }
    out->room = room;
    return put_text(out, *at ? "...\"" : "\"");
}

static bool is_secret(const char *name)
{
    static const char *const words[] = {"password", "token", "secret", "authorization", "cookie", "api_key"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(name, words[i]))
            return true;
    return false;
}

static bool put_pair(line *out, const rf_log_pair *pair, bool first)
{
    const size_t before = out->length;
    bool ok = (first || put_text(out, ",")) && put_string(out, pair->name, 64) && put_text(out, ":");
    if (ok && is_secret(pair->name))
        ok = put_text(out, "\"[hidden]\"");
    else if (ok && pair->is_number)
        ok = put_number(out, pair->number);
    else if (ok)
        ok = put_string(out, pair->text ? pair->text : "", MESSAGE_MAX);
    if (!ok)
        out->length = before;
    return ok;
}

static void put_time(line *out, int64_t wall_us)
{
    char text[32], fraction[16];
    rf_clock_rfc3339(text, wall_us);
    text[strcspn(text, "Z")] = 0;
    snprintf(fraction, sizeof fraction, ".%03dZ", (int)((wall_us % 1000000 + 1000000) % 1000000 / 1000));
    put_text(out, text);
    put_text(out, fraction);
}

size_t rf_log_format(char text[RF_LOG_LINE_MAX], const rf_log_event *event, int64_t wall_us)
{
    line out = {.text = text, .room = RF_LOG_LINE_MAX - CLOSING_BYTES};
    put_text(&out, "{\"timestamp\":\"");
    put_time(&out, wall_us);
    put_text(&out, "\",\"level\":\"");
    put_text(&out, rf_log_level_name(event->level));
    put_text(&out, "\",\"module\":");
    put_string(&out, event->module ? event->module : "", 64);
    put_text(&out, ",\"user_id\":");
    if (!event->user_id || !put_number(&out, event->user_id))
        put_text(&out, "null");
    put_text(&out, ",\"request_id\":");
    if (!event->request_id || !put_string(&out, event->request_id, 160))
        put_text(&out, "null");
    put_text(&out, ",\"message\":");
    put_string(&out, event->message ? event->message : "", MESSAGE_MAX);
    put_text(&out, ",\"metadata\":{");
    for (int i = 0; i < event->n_metadata; i++)
        if (!put_pair(&out, &event->metadata[i], i == 0)) {
            out.room += CLOSING_BYTES / 2;
            put_pair(&out, &RF_LOG_NUMBER("left_out", event->n_metadata - i), i == 0);
            break;
        }
    out.room = RF_LOG_LINE_MAX;
    put_text(&out, "}}\n");
    return out.length;
}

/* ---- where lines go -------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int least = RF_LOG_INFO;
static _Atomic int64_t n_lost;
/* under the lock */
static int fd = STDERR_FILENO;
static char path[PATH_MAX];
static int64_t rotate_bytes, size_bytes;
static int n_backups;

static bool open_file(void)
{
    const int opened = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    struct stat info;
    if (opened < 0)
        return false;
    if (fd != STDERR_FILENO)
        close(fd);
    fd = opened;
    size_bytes = fstat(fd, &info) == 0 ? info.st_size : 0;
    return true;
}

/* path.1 becomes path.2 and so on; the oldest falls off the end. Without backups the file begins anew. */
static void rotate(void)
{
    char from[PATH_MAX + 16], to[PATH_MAX + 16];
    for (int i = n_backups; i > 0; i--) {
        snprintf(to, sizeof to, "%s.%d", path, i);
        if (i == 1)
            snprintf(from, sizeof from, "%s", path);
        else
            snprintf(from, sizeof from, "%s.%d", path, i - 1);
        (void)!rename(from, to);
    }
    if (n_backups == 0)
        (void)!unlink(path);
    open_file();
}

/* A process that does not rotate follows the one that does. */
static void follow(void)
{
    struct stat named, held;
    if (stat(path, &named) != 0 || fstat(fd, &held) != 0 || named.st_ino != held.st_ino ||
        named.st_dev != held.st_dev)
        open_file();
}

static bool write_line(const char *text, size_t length)
{
    while (length > 0) {
        const ssize_t n = write(fd, text, length);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            text += n;
            length -= (size_t)n;
        }
    }
    return true;
}

rf_code rf_log_open(const rf_log_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_log_close();
    atomic_store(&least, options->least);
    if (!options->path)
        return RF_OK;
    pthread_mutex_lock(&lock);
    if (strlen(options->path) >= sizeof path)
        rc = rf_fail(err, RF_INPUT, "the path of the log file is too long");
    else {
        memcpy(path, options->path, strlen(options->path) + 1);
        rotate_bytes = options->rotate_bytes;
        n_backups = options->backups;
        if (!open_file())
            rc = rf_fail_errno(err, RF_IO, "the log file %s cannot be opened", options->path);
    }
    if (rc != RF_OK)
        path[0] = 0;
    pthread_mutex_unlock(&lock);
    return rc;
}

void rf_log_close(void)
{
    pthread_mutex_lock(&lock);
    if (fd != STDERR_FILENO)
        close(fd);
    fd = STDERR_FILENO;
    path[0] = 0;
    pthread_mutex_unlock(&lock);
}

/* ---- logging --------------------------------------------------------------------------------- */

bool rf_log_wants(rf_log_level level)
{
    return (int)level >= atomic_load_explicit(&least, memory_order_relaxed);
}

void rf_log_write(const rf_log_event *event)
{
    if (!rf_log_wants(event->level))
        return;
    const int failure = errno;
    char text[RF_LOG_LINE_MAX];
    const size_t length = rf_log_format(text, event, rf_clock_wall_us());
    pthread_mutex_lock(&lock);
    if (path[0] && rotate_bytes == 0)
        follow();
    else if (path[0] && size_bytes > 0 && size_bytes + (int64_t)length > rotate_bytes)
        rotate();
    if (write_line(text, length))
        size_bytes += (int64_t)length;
    else
        atomic_fetch_add(&n_lost, 1);
    pthread_mutex_unlock(&lock);
    errno = failure;
}

void rf_log(rf_log_level level, const char *module, const char *format, ...)
{
    if (!rf_log_wants(level))
        return;
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    rf_log_write(&(rf_log_event){.level = level, .module = module, .message = length < 0 ? format : message});
}

void rf_log_failure(rf_log_level level, const char *module, const rf_error *failure)
{
    rf_log_write(&(rf_log_event){.level = level,
                                 .module = module,
                                 .message = failure->message,
                                 .metadata = (rf_log_pair[]){RF_LOG_TEXT("code", rf_code_name(failure->code)),
                                                             RF_LOG_TEXT("detail", failure->detail),
                                                             RF_LOG_TEXT("context", failure->context)},
                                 .n_metadata = 3});
}

int64_t rf_log_lost(void)
{
    return atomic_load(&n_lost);
}
