/* deeds.c - the log of deeds: what was done, by whom. What changes something is written in the transaction of the change;
 * what only reads (a download) is remembered here and written within a second, so that nobody waits for a disk to read. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/admin.h"
#include "scheduler/scheduler_state.h"

static const char *text(const char *value)
{
    return value ? value : "";
}

typedef struct deed_write {
    rf_db_audit row;
} deed_write;

static rf_code write_deed(rf_db_tx *tx, void *arg, rf_error *err)
{
    return rf_db_audit_insert(tx, &((deed_write *)arg)->row, err);
}

rf_code rf_admin_note(rf_scheduler *s, const rf_deed *deed, rf_error *err)
{
    deed_write w = {.row = {.at_ms = rf_scheduler_now_ms(s),
                            .user_id = deed->user_id,
                            .action = text(deed->action),
                            .subject = text(deed->subject),
                            .address = text(deed->address),
                            .request_id = text(deed->request_id),
                            .detail = text(deed->detail)}};
    return rf_db_write(s->db, write_deed, &w, err);
}

rf_code rfi_deed_note(rf_db_tx *tx, int64_t at_ms, int64_t user_id, const char *action, const char *what,
                      int64_t id, const char *detail, rf_error *err)
{
    char subject[64];
    if (id)
        snprintf(subject, sizeof subject, "%s %" PRId64, what, id);
    else
        snprintf(subject, sizeof subject, "%s", what);
    const rf_db_audit row = {.at_ms = at_ms,
                             .user_id = user_id,
                             .action = action,
                             .subject = subject,
                             .address = "",
                             .request_id = "",
                             .detail = detail};
    return rf_db_audit_insert(tx, &row, err);
}

/* ------------------------------------------------------------------ later */

void rfi_deed_later(rf_scheduler *s, int64_t user_id, const char *action, const char *what, int64_t id)
{
    bool lost = false;
    pthread_mutex_lock(&s->noting);
    if (s->n_deeds < RFI_DEEDS)
        s->deeds[s->n_deeds++] = (rfi_deed){
            .at_ms = rf_scheduler_now_ms(s), .user_id = user_id, .action = action, .what = what, .id = id};
    else
        lost = true;
    pthread_mutex_unlock(&s->noting);
    if (lost)
        rf_log(RF_LOG_WARNING, "scheduler",
               "%s of %s %" PRId64 " by user %" PRId64 " is not in the log of deeds: too many wait", action,
               what, id, user_id);
}

typedef struct deeds_write {
    rfi_deed deeds[RFI_DEEDS];
    int32_t n;
} deeds_write;

static rf_code write_deeds(rf_db_tx *tx, void *arg, rf_error *err)
{
    const deeds_write *const w = arg;
    rf_code rc = RF_OK;
    for (int32_t i = 0; i < w->n; i++)
        RF_TRY(rfi_deed_note(tx, w->deeds[i].at_ms, w->deeds[i].user_id, w->deeds[i].action, w->deeds[i].what,
                             w->deeds[i].id, "", err));
out:
    return rc;
}

rf_code rfi_deeds_flush(rf_scheduler *s, rf_error *err)
{
    deeds_write w;
    rf_code rc = RF_OK;
    pthread_mutex_lock(&s->noting);
    w.n = s->n_deeds;
    memcpy(w.deeds, s->deeds, (size_t)w.n * sizeof *w.deeds);
    pthread_mutex_unlock(&s->noting);
    if (!w.n)
        return RF_OK;
    RF_TRY(rf_db_write(s->db, write_deeds, &w, err));
    pthread_mutex_lock(&s->noting);
    s->n_deeds -= w.n;
    memmove(s->deeds, s->deeds + w.n, (size_t)s->n_deeds * sizeof *s->deeds);
    pthread_mutex_unlock(&s->noting);
out:
    return rc;
}
