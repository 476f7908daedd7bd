/* Random verbs against a model so simple that it is right: arrays and loops. */
#include "core/alloc.h"
#include "core/philox.h"
#include "queue_rig.h"

enum { JOBS = 12, USERS = 3, STEPS = 4000, LIMIT = 2 };

typedef enum place { NOWHERE, DELAYED, WAITING, LEASED, EXPIRED } place;

typedef struct job {
    place place;
    int64_t token, user, created_ms, due_ms, deadline_ms;
    int priority;
    bool cancelled;
} job;

typedef struct model {
    job jobs[JOBS + 1];
    int64_t now_ms, seen_token[JOBS + 1];
    rf_draw draw;
    uint32_t at;
} model;

static uint32_t draw(model *m, uint32_t n)
{
    return rf_uniform_below(rf_philox_u32(m->draw, m->at++), n);
}

static int64_t leased_of(const model *m, int64_t user)
{
    int64_t n = 0;
    for (int i = 1; i <= JOBS; i++)
        n += m->jobs[i].place == LEASED && m->jobs[i].user == user;
    return n;
}

static int64_t score(const job *j)
{
    return j->created_ms - RIG_AGE_MS * j->priority;
}

/* Which job of a user comes next; 0: none, or the user is at the limit. */
static int next_of(const model *m, int64_t user)
{
    int best = 0;
    if (leased_of(m, user) >= LIMIT)
        return 0;
    for (int i = 1; i <= JOBS; i++)
        if (m->jobs[i].place == WAITING && m->jobs[i].user == user &&
            (!best || score(&m->jobs[i]) < score(&m->jobs[best])))
            best = i;
    return best;
}

static void promote(model *m)
{
    for (int i = 1; i <= JOBS; i++)
        if (m->jobs[i].place == DELAYED && m->jobs[i].due_ms <= m->now_ms)
            m->jobs[i].place = WAITING;
}

/* ------------------------------------------------------------------ one verb on both */

static void offer(rig *r, model *m)
{
    const int i = 1 + (int)draw(m, JOBS);
    job *j = &m->jobs[i];
    const rf_offer o = {.job_id = i,
                        .token = m->seen_token[i] + (int64_t)draw(m, 3) - 1,
                        .user_id = 1 + i % USERS,
                        .kind = RF_JOB_NOOP,
                        .priority = (int)draw(m, 10),
                        .created_ms = 1 + draw(m, 1000000),
                        .delay_ms = draw(m, 3) ? 0 : 1 + draw(m, 20000),
                        .user_limit = LIMIT,
                        .plan = "{}"};
    if (o.token < 0)
        return;
    rig_offer_as(r, o);
    if (j->place != NOWHERE && o.token <= j->token)
        return;
    m->seen_token[i] = o.token > m->seen_token[i] ? o.token : m->seen_token[i];
    *j = (job){.place = o.delay_ms ? DELAYED : WAITING,
               .token = o.token,
               .user = o.user_id,
               .created_ms = o.created_ms,
               .due_ms = m->now_ms + o.delay_ms,
               .priority = o.priority};
}

static void lease(rig *r, model *m)
{
    promote(m);
    const int64_t id = rig_lease(r, 0);
    bool any = false;
    for (int64_t user = 1; user <= USERS; user++)
        any |= next_of(m, user) != 0;
    assert_int_equal(id != 0, any);
    if (!id)
        return;
    job *j = &m->jobs[id];
    assert_int_equal(next_of(m, j->user),
                     id); /* whose turn it is is for another test: within a user it is known */
    j->place = LEASED;
    j->deadline_ms = m->now_ms + RIG_LEASE_MS;
}

static void beat(rig *r, model *m)
{
    const int i = 1 + (int)draw(m, JOBS);
    job *j = &m->jobs[i];
    const int64_t token = draw(m, 4) ? j->token : j->token + 1;
    const bool mine = j->place == LEASED && token == j->token;
    const rf_beat_answer want = !mine ? RF_BEAT_GONE : j->cancelled ? RF_BEAT_CANCEL : RF_BEAT_OK;
    assert_int_equal(rig_beat(r, i, token), want);
    if (mine)
        j->deadline_ms = m->now_ms + RIG_LEASE_MS;
}

static void settle(rig *r, model *m)
{
    const int i = 1 + (int)draw(m, JOBS);
    const int64_t token = m->jobs[i].token + (int64_t)draw(m, 3) - 1;
    rig_settle(r, i, token);
    if (token >= m->jobs[i].token)
        m->jobs[i] = (job){.token = m->jobs[i].token};
}

static void withdraw(rig *r, model *m)
{
    rf_error err = {0};
    const int i = 1 + (int)draw(m, JOBS);
    job *j = &m->jobs[i];
    assert_ok(rf_queue_withdraw(r->scheduler, i, j->token, &err));
    if (j->place == WAITING || j->place == DELAYED)
        *j = (job){.token = j->token};
    if (j->place == LEASED)
        j->cancelled = true;
}

static void expire(rig *r, model *m)
{
    rf_lease_id list[16];
    bool listed[JOBS + 1] = {false};
    const int32_t n = rig_expired(r, list);
    int32_t want = 0;
    for (int i = 1; i <= JOBS; i++) {
        job *j = &m->jobs[i];
        if (j->place == LEASED && j->deadline_ms <= m->now_ms)
            j->place = EXPIRED;
        want += j->place == EXPIRED;
    }
    assert_int_equal(n, want);
    for (int32_t k = 0; k < n; k++) {
        assert_false(listed[list[k].job_id]);
        listed[list[k].job_id] = true;
        assert_int_equal(m->jobs[list[k].job_id].place, EXPIRED);
        assert_int_equal(m->jobs[list[k].job_id].token, list[k].token);
    }
}

static void pass(rig *r, model *m)
{
    rf_error err = {0};
    rf_worker_wish wish;
    const int64_t ms = draw(m, 9000);
    rig_pass(ms);
    m->now_ms += ms;
    assert_ok(rf_queue_beat(r->worker, r->worker_id, 0, NULL, 0, &wish, &err)); /* the worker itself lives */
}

static void count(rig *r, model *m)
{
    rf_error err = {0};
    rf_queue_depth *list = NULL;
    int32_t n = 0;
    int64_t places[EXPIRED + 1] = {0};
    promote(m);
    for (int i = 1; i <= JOBS; i++)
        places[m->jobs[i].place]++;
    assert_ok(rf_queue_depths(r->scheduler, &list, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(list[0].waiting, places[WAITING]);
    assert_int_equal(list[0].delayed, places[DELAYED]);
    assert_int_equal(list[0].leased, places[LEASED]);
    rf_free(list);
}

static void random_verbs_do_what_the_model_does(void **state)
{
    static void (*const verbs[])(rig *, model *) = {offer, offer,  offer,    lease,  lease, lease, beat,
                                                    beat,  settle, withdraw, expire, pass,  count};
    rig *r = rig_of(state);
    model m = {.draw = {.seed = 7, .purpose = RF_DRAW_DEMO}};
    for (int i = 0; i < STEPS; i++)
        verbs[draw(&m, sizeof verbs / sizeof verbs[0])](r, &m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_verbs_do_what_the_model_does)};
    return rig_run(tests, 1);
}
