#include "domain/settings_rules.h"

#include <stdio.h>
#include <string.h>

enum { SECRET_KEY_LEAST = 32, NAMES_MAX = 253 };

/* ---- what this version does not have --------------------------------------------------------- */

static void refuse_later(const rf_settings *settings, rf_notes *faults)
{
    if (*settings->redis_url)
        rf_note(
            faults,
            "REDIS_URL cannot be used: this version has the queue inside the process only; leave it away");
    if (*settings->supabase_url)
        rf_note(faults,
                "SUPABASE_URL cannot be used: this version keeps files under DATA_DIR only; leave it away");
    if (*settings->supabase_key)
        rf_note(faults,
                "SUPABASE_KEY cannot be used: this version keeps files under DATA_DIR only; leave it away");
    if (*settings->supabase_bucket)
        rf_note(faults, "SUPABASE_BUCKET_NAME cannot be used: this version keeps files under DATA_DIR only; "
                        "leave it away");
    if (settings->push)
        rf_note(faults, "ENABLE_PUSH_NOTIFICATIONS cannot be true: this version sends none");
    if (*settings->push_url)
        rf_note(faults, "PUSH_URL cannot be used: this version sends no notifications; leave it away");
}

/* ---- the database ---------------------------------------------------------------------------- */

static void find_database(rf_settings *settings, rf_notes *faults)
{
    static const char scheme[] = "sqlite:///";
    const char *url = settings->database_url;
    if (!*url) {
        const size_t size = strlen(settings->data_dir) + sizeof "/rowforge.db";
        char *path = RF_ARENA_ARRAY(&settings->arena, char, size);
        if (path)
            snprintf(path, size, "%s/rowforge.db", settings->data_dir);
        settings->database_path = path;
    } else if (!strncmp(url, scheme, sizeof scheme - 1) && url[sizeof scheme - 1])
        settings->database_path = url + sizeof scheme - 1;
    else if (!strncmp(url, "postgresql:", 11) || !strncmp(url, "postgres:", 9))
        rf_note(faults,
                "DATABASE_URL cannot be postgresql:// in this version; use sqlite:///path, or leave it away");
    else
        rf_note(
            faults,
            "DATABASE_URL must be sqlite:///path (three slashes for a relative path, four for an absolute "
            "one)"); /* the value may hold a password and is not shown */
}

/* ---- names on the network -------------------------------------------------------------------- */

static bool is_host_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

/* A name or an IPv4 address, or an IPv6 address in brackets. */
static bool is_host(const char *text, size_t length)
{
    if (length == 0 || length > NAMES_MAX)
        return false;
    const bool in_brackets = text[0] == '[' && text[length - 1] == ']' && length > 2;
    for (size_t i = in_brackets; i < length - in_brackets; i++)
        if (!(in_brackets ? strchr("0123456789abcdefABCDEF:.", text[i]) != NULL : is_host_character(text[i])))
            return false;
    return true;
}

static bool is_port(const char *text)
{
    const size_t length = strspn(text, "0123456789");
    return length > 0 && length <= 5 && !text[length];
}

static bool is_origin(const char *text)
{
    if (strncmp(text, "http://", 7) && strncmp(text, "https://", 8))
        return false;
    const char *host = strchr(text, ':') + 3;
    const size_t length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    if (length > strlen(host) || !is_host(host, length))
        return false;
    return !host[length] || (host[length] == ':' && is_port(host + length + 1));
}

static void check_names(const rf_settings *settings, rf_notes *faults)
{
    for (int i = 0; i < settings->cors_origins.n; i++) {
        const char *origin = settings->cors_origins.item[i];
        if (!strcmp(origin, "*"))
            rf_note(faults, "CORS_ORIGINS cannot be *, since requests carry credentials; name the origins");
        else if (!is_origin(origin))
            rf_note(faults, "CORS_ORIGINS: \"%.80s\" is not an origin, such as https://example.com:8443",
                    origin);
    }
    for (int i = 0; i < settings->allowed_hosts.n; i++) {
        const char *host = settings->allowed_hosts.item[i];
        const char *name = !strncmp(host, "*.", 2) ? host + 2 : host;
        if (strcmp(host, "*") && !is_host(name, strlen(name)))
            rf_note(faults, "ALLOWED_HOSTS: \"%.80s\" is not a host name without a port, *.name or *", host);
    }
    if (settings->allowed_hosts.n == 0)
        rf_note(faults, "ALLOWED_HOSTS names no host at all; use * for any");
}

/* ---- between settings ------------------------------------------------------------------------ */

static bool check_order(const char *low_name, double low, const char *high_name, double high,
                        rf_notes *faults)
{
    if (low > high)
        rf_note(faults, "%s (%g) is more than %s (%g)", low_name, low, high_name, high);
    return low <= high;
}

static void check_between(const char *low_name, int64_t low, const char *name, int64_t value,
                          const char *high_name, int64_t high, rf_notes *faults)
{
    if (!check_order(low_name, (double)low, high_name, (double)high, faults))
        return;
    (void)check_order(low_name, (double)low, name, (double)value, faults);
    (void)check_order(name, (double)value, high_name, (double)high, faults);
}

static void check_orders(const rf_settings *s, rf_notes *faults)
{
    check_between("MIN_SAMPLE_SIZE", s->min_sample_size, "DEFAULT_SAMPLE_SIZE", s->default_sample_size,
                  "MAX_SAMPLE_SIZE", s->max_sample_size, faults);
    check_between("MIN_EPOCHS", s->min_epochs, "DEFAULT_EPOCHS", s->default_epochs, "MAX_EPOCHS",
                  s->max_epochs, faults);
    (void)check_order("DEFAULT_OPTIMIZATION_TRIALS", (double)s->optimization_trials,
                      "MAX_OPTIMIZATION_TRIALS", (double)s->max_optimization_trials, faults);
    (void)check_order("RETRY_BASE_SECONDS", s->retry_base_s, "RETRY_CAP_SECONDS", s->retry_cap_s, faults);
    if (s->beat_s * 2 > s->lease_s)
        rf_note(faults,
                "BEAT_SECONDS (%g) is more than half of LEASE_SECONDS (%g): one late beat would lose a job",
                s->beat_s, s->lease_s);
}

/* ---- defaults that follow ---------------------------------------------------------------------- */

static bool is_given(const rf_settings *s, rf_setting_id id)
{
    return s->origin[id] != RF_FROM_DEFAULT;
}

static int64_t between(int64_t value, int64_t low, int64_t high)
{
    return value > high ? high : value < low ? low : value;
}

/* Whoever gives only MAX_EPOCHS=50 does not want a hundred by default, and means no fault. */
static void let_defaults_follow(rf_settings *s)
{
    if (!is_given(s, RF_SET_DEFAULT_SAMPLE_SIZE))
        s->default_sample_size = between(s->default_sample_size, s->min_sample_size, s->max_sample_size);
    if (!is_given(s, RF_SET_DEFAULT_EPOCHS))
        s->default_epochs = between(s->default_epochs, s->min_epochs, s->max_epochs);
    if (!is_given(s, RF_SET_DEFAULT_OPTIMIZATION_TRIALS))
        s->optimization_trials = between(s->optimization_trials, 1, s->max_optimization_trials);
    if (!is_given(s, RF_SET_RETRY_BASE_SECONDS) && s->retry_base_s > s->retry_cap_s)
        s->retry_base_s = s->retry_cap_s;
    if (!is_given(s, RF_SET_BEAT_SECONDS) && s->beat_s > s->lease_s / 3)
        s->beat_s = s->lease_s / 3;
}

static void check_file_types(const rf_settings *settings, rf_notes *faults)
{
    for (int i = 0; i < settings->file_types.n; i++) {
        const char *type = settings->file_types.item[i];
        if (strcmp(type, "csv") && strcmp(type, "tsv"))
            rf_note(faults,
                    "SUPPORTED_FILE_TYPES: \"%.20s\" is not read by this version; it reads csv and tsv",
                    type);
    }
    if (settings->file_types.n == 0)
        rf_note(faults, "SUPPORTED_FILE_TYPES names nothing; this version reads csv and tsv");
}

/* Whether there is such a GPU, only the workers' machine knows. */
static void check_device(const rf_settings *settings, rf_notes *faults)
{
    const char *device = settings->worker_device;
    const bool numbered =
        !strncmp(device, "cuda:", 5) && device[5] && strspn(device + 5, "0123456789") == strlen(device + 5);
    if (strcmp(device, "auto") && strcmp(device, "cpu") && strcmp(device, "cuda") && !numbered)
        rf_note(faults, "WORKER_DEVICE is \"%.40s\", and must be auto, cpu, cuda or cuda:N", device);
}

void rfi_settings_check(rf_settings *settings, rf_notes *faults)
{
    refuse_later(settings, faults);
    find_database(settings, faults);
    check_names(settings, faults);
    let_defaults_follow(settings);
    check_orders(settings, faults);
    check_file_types(settings, faults);
    check_device(settings, faults);
    if (*settings->secret_key && strlen(settings->secret_key) < SECRET_KEY_LEAST)
        rf_note(faults, "SECRET_KEY is too short: at least %d characters, or leave it away and one is made",
                SECRET_KEY_LEAST);
    if (settings->debug && !strcmp(settings->environment, "production"))
        rf_note(faults, "DEBUG cannot be true while ENVIRONMENT is production");
}
