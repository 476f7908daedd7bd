/* Every move of a job's row names where it may come from: all moves against all states, in one table. */
#include "db_rig.h"
#include "rf_test.h"

typedef struct move_call {
    int64_t job, token;
    bool changed;
} move_call;

typedef rf_code move_fn(rf_db_tx *tx, move_call *call, rf_error *err);

static rf_db_job_end end_of(const move_call *call)
{
    return (rf_db_job_end){.id = call->job, .token = call->token, .error_class = "crash", .now_ms = 500};
}

static rf_code move_start(rf_db_tx *tx, move_call *c, rf_error *err)
{
    return rf_db_job_start(tx, c->job, c->token, 3, "cpu", 400, &c->changed, err);
}

static rf_code move_complete(rf_db_tx *tx, move_call *c, rf_error *err)
{
    return rf_db_job_complete(tx, c->job, c->token, "{}", 500, &c->changed, err);
}

static rf_code move_fail(rf_db_tx *tx, move_call *c, rf_error *err)
{
    const rf_db_job_end end = end_of(c);
    return rf_db_job_fail(tx, &end, &c->changed, err);
}

static rf_code move_cancelled(rf_db_tx *tx, move_call *c, rf_error *err)
{
    const rf_db_job_end end = end_of(c);
    return rf_db_job_cancelled(tx, &end, &c->changed, err);
}

static rf_code move_requeue(rf_db_tx *tx, move_call *c, rf_error *err)
{
    const rf_db_job_end end = end_of(c);
    return rf_db_job_requeue(tx, &end, 900, 0, 1, 0, &c->changed, err);
}

static rf_code move_progress(rf_db_tx *tx, move_call *c, rf_error *err)
{
    return rf_db_job_progress(tx, c->job, c->token, "{}", &c->changed, err);
}

static rf_code move_checkpoint(rf_db_tx *tx, move_call *c, rf_error *err)
{
    return rf_db_job_checkpoint(tx, c->job, c->token, "{}", &c->changed, err);
}

static rf_code move_approve(rf_db_tx *tx, move_call *c, rf_error *err)
{
    return rf_db_job_approve(tx, c->job, true, "", 500, &c->changed, err);
}

static rf_code move_reject(rf_db_tx *tx, move_call *c, rf_error *err)
{
    return rf_db_job_approve(tx, c->job, false, "no", 500, &c->changed, err);
}

static rf_code move_revive(rf_db_tx *tx, move_call *c, rf_error *err)
{
    return rf_db_job_revive(tx, c->job, 500, &c->changed, err);
}

static rf_code move_cancel_ask(rf_db_tx *tx, move_call *c, rf_error *err)
{
    rf_db_job_cancel ask = {.id = c->job, .reason = "user", .now_ms = 500};
    const rf_code rc = rf_db_job_cancel_ask(tx, &ask, err);
    c->changed = ask.changed;
    return rc;
}

#define FROM(state) (1u << RF_JOB_##state)
#define STAYS       RF_JOB_STATE_COUNT

/* a move, from where it may go, where to, and whether a stale token stops it */
static const struct move {
    const char *name;
    move_fn *fn;
    unsigned from;
    rf_job_state to;
    bool fenced;
} moves[] = {
    {"start", move_start, FROM(QUEUED), RF_JOB_RUNNING, true},
    {"complete", move_complete, FROM(RUNNING), RF_JOB_COMPLETED, true},
    {"fail", move_fail, FROM(QUEUED) | FROM(RUNNING), RF_JOB_FAILED, true},
    {"cancelled", move_cancelled, FROM(QUEUED) | FROM(RUNNING), RF_JOB_CANCELLED, true},
    {"requeue", move_requeue, FROM(QUEUED) | FROM(RUNNING), RF_JOB_QUEUED, true},
    {"progress", move_progress, FROM(RUNNING), STAYS, true},
    {"checkpoint", move_checkpoint, FROM(RUNNING), STAYS, true},
    {"approve", move_approve, FROM(PENDING_APPROVAL), RF_JOB_QUEUED, false},
    {"reject", move_reject, FROM(PENDING_APPROVAL), RF_JOB_REJECTED, false},
    {"revive", move_revive, FROM(FAILED), RF_JOB_QUEUED, false},
    {"cancel of what waits", move_cancel_ask, FROM(PENDING_APPROVAL) | FROM(QUEUED), RF_JOB_CANCELLED, false},
};

typedef struct row_state {
    int64_t job;
    rf_job_state state;
} row_state;

static rf_code insert_in_state(rf_db_tx *tx, void *arg, rf_error *err)
{
    row_state *const row = arg;
    rf_job job = {
        .user_id = 1, .kind = RF_JOB_NOOP, .state = row->state, .need = "cpu", .token = 5, .created_ms = 1};
    const rf_code rc = rf_db_job_insert(tx, &job, err);
    row->job = job.id;
    return rc;
}

typedef struct tried {
    const struct move *move;
    move_call call;
} tried;

static rf_code try_move(rf_db_tx *tx, void *arg, rf_error *err)
{
    tried *const t = arg;
    return t->move->fn(tx, &t->call, err);
}

static void each_move_goes_from_its_states_and_no_others(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    assert_int_equal(db_rig_user(rig, "a@example.org"), 1);
    for (size_t m = 0; m < sizeof moves / sizeof *moves; m++) {
        const struct move *const move = &moves[m];
        for (int from = 0; from < RF_JOB_STATE_COUNT; from++)
            for (int stale = 0; stale < 2; stale++) {
                row_state row = {.state = (rf_job_state)from};
                assert_ok(rf_db_write(rig->db, insert_in_state, &row, &err));
                tried t = {.move = move, .call = {.job = row.job, .token = stale ? 4 : 5}};
                assert_ok(rf_db_write(rig->db, try_move, &t, &err));
                if (move->fn == move_cancel_ask && from == RF_JOB_RUNNING)
                    continue; /* asked, and running still */
                const bool goes = (move->from >> from & 1u) && !(stale && move->fenced);
                const rf_job now = db_rig_look(rig, row.job);
                const rf_job_state to = goes && move->to != STAYS ? move->to : (rf_job_state)from;
                if (t.call.changed != goes || now.state != to) {
                    print_error("%s from %s: %s, changed %d\n", move->name,
                                rf_job_state_name((rf_job_state)from), rf_job_state_name(now.state),
                                t.call.changed);
                    fail();
                }
                if (goes &&
                    move->to != STAYS) /* and the drawing in job.h says the same; a revival is an admin's */
                    assert_true(move->to == (rf_job_state)from || move->fn == move_revive ||
                                rf_job_state_may_follow((rf_job_state)from, move->to));
                if (goes)
                    assert_int_equal(now.finished_ms != 0, rf_job_state_is_final(now.state));
            }
    }
}

static rf_code ask_to_cancel(rf_db_tx *tx, void *arg, rf_error *err)
{
    return rf_db_job_cancel_ask(tx, arg, err);
}

static void a_running_job_is_asked_once_and_by_its_owner_only(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    const int64_t user = db_rig_user(rig, "a@example.org"), other = db_rig_user(rig, "b@example.org");
    row_state row = {.state = RF_JOB_RUNNING};
    assert_ok(rf_db_write(rig->db, insert_in_state, &row, &err));
    rf_db_job_cancel ask = {.user_id = other, .id = row.job, .reason = "user", .now_ms = 500};
    assert_ok(rf_db_write(rig->db, ask_to_cancel, &ask, &err));
    assert_false(ask.changed);
    assert_int_equal(ask.state, RF_JOB_STATE_COUNT); /* not there, for a stranger */
    ask.user_id = user;
    assert_ok(rf_db_write(rig->db, ask_to_cancel, &ask, &err));
    assert_true(ask.changed);
    assert_int_equal(ask.state, RF_JOB_RUNNING);
    assert_int_equal(ask.token, 5);
    assert_int_equal(db_rig_look(rig, row.job).cancel_ms, 500);
    ask.now_ms = 900;
    assert_ok(rf_db_write(rig->db, ask_to_cancel, &ask, &err));
    assert_false(ask.changed);
    assert_int_equal(db_rig_look(rig, row.job).cancel_ms, 500);
}

typedef struct outbox_note {
    int64_t job, token;
} outbox_note;

static rf_code put_note(rf_db_tx *tx, void *arg, rf_error *err)
{
    const outbox_note *const note = arg;
    return rf_db_outbox_put(tx, note->job, note->token, 100, err);
}

static rf_code clear_note(rf_db_tx *tx, void *arg, rf_error *err)
{
    const outbox_note *const note = arg;
    return rf_db_outbox_clear(tx, note->job, note->token, err);
}

static int64_t notes(db_rig *rig)
{
    rf_error err = {0};
    rf_db_tx *tx = NULL;
    int64_t n = 0;
    assert_ok(rf_db_read_begin(rig->db, &tx, &err));
    assert_ok(rf_db_outbox_count(tx, &n, &err));
    rf_db_read_end(tx);
    return n;
}

static void a_note_of_a_later_token_outlives_the_clearing_of_an_earlier(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    const int64_t job = db_rig_job(rig, db_rig_user(rig, "a@example.org"));
    outbox_note first = {job, 1}, second = {job, 2};
    assert_ok(rf_db_write(rig->db, put_note, &second, &err));
    assert_ok(rf_db_write(rig->db, put_note, &first, &err)); /* late: the higher token stays */
    assert_ok(rf_db_write(rig->db, clear_note, &first, &err));
    assert_int_equal(notes(rig), 1);
    assert_ok(rf_db_write(rig->db, clear_note, &second, &err));
    assert_int_equal(notes(rig), 0);
}

static void lists_come_newest_first_page_by_page(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    const int64_t user = db_rig_user(rig, "a@example.org"), other = db_rig_user(rig, "b@example.org");
    for (int i = 0; i < 25; i++)
        db_rig_job(rig, i % 5 == 4 ? other : user);
    rf_db_job_filter filter = {.user_id = user, .state = -1, .kind = -1, .limit = 7};
    int64_t last = INT64_MAX, seen = 0;
    for (;;) {
        rf_db_tx *tx = NULL;
        rf_job *jobs = NULL;
        int32_t n = 0;
        assert_ok(rf_db_read_begin(rig->db, &tx, &err));
        assert_ok(rf_db_jobs_list(tx, &filter, &rig->arena, &jobs, &n, &err));
        rf_db_read_end(tx);
        for (int32_t i = 0; i < n; i++) {
            assert_true(jobs[i].id < last);
            assert_int_equal(jobs[i].user_id, user);
            assert_string_equal(jobs[i].plan, ""); /* short rows */
            last = jobs[i].id;
        }
        seen += n;
        if (n < 7)
            break;
        filter.before_id = last;
    }
    assert_int_equal(seen, 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, db_rig_setup, db_rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_move_goes_from_its_states_and_no_others),
        TEST(a_running_job_is_asked_once_and_by_its_owner_only),
        TEST(a_note_of_a_later_token_outlives_the_clearing_of_an_earlier),
        TEST(lists_come_newest_first_page_by_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
