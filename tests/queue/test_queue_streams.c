/* Streams for those who watch; the memory side keeps them, workers have no verb for them. */
#include <pthread.h>

#include "core/alloc.h"
#include "queue_rig.h"

static int32_t read_after(rig *r, int64_t job_id, int64_t after, rf_stream_entry *out, int32_t max,
                          bool *known)
{
    rf_error err = {0};
    int32_t n = 0;
    assert_ok(rf_queue_stream_read(r->scheduler, job_id, after, out, max, &n, known, &err));
    return n;
}

static void add(rig *r, int64_t job_id, const char *json, bool last)
{
    rf_error err = {0};
    assert_ok(rf_queue_stream_add(r->scheduler, job_id, json, last, &err));
}

static void watcher_reads_on_after_the_last_that_it_saw(void **state)
{
    rig *r = rig_of(state);
    rf_stream_entry got[4];
    bool known = true;
    assert_int_equal(read_after(r, 1, 0, got, 4, &known), 0);
    assert_false(known);
    add(r, 1, "a", false);
    add(r, 1, "b", false);
    add(r, 1, "c", true);
    assert_int_equal(read_after(r, 1, 0, got, 2, &known), 2);
    assert_true(known);
    assert_string_equal(got[0].json, "a");
    assert_true(got[1].id > got[0].id);
    const int64_t seen = got[1].id;
    rf_free(got[0].json);
    rf_free(got[1].json);
    assert_int_equal(read_after(r, 1, seen, got, 4, &known), 1);
    assert_string_equal(got[0].json, "c");
    assert_true(got[0].last);
    rf_free(got[0].json);
    assert_int_equal(read_after(r, 1, got[0].id, got, 4, &known), 0);
}

static void stream_keeps_its_last_thousand(void **state)
{
    rig *r = rig_of(state);
    rf_stream_entry got[1];
    char text[16];
    bool known;
    for (int i = 0; i < 2500; i++) {
        snprintf(text, sizeof text, "%d", i);
        add(r, 1, text, false);
    }
    assert_int_equal(read_after(r, 1, 0, got, 1, &known), 1);
    assert_string_equal(got[0].json, "1500");
    rf_free(got[0].json);
}

static void ended_streams_give_way_to_newer_ones(void **state)
{
    enum { SIZE = 60000, N = 1500 }; /* 90 MB, of which 64 MiB may stay */
    rig *r = rig_of(state);
    rf_stream_entry got[1];
    bool known;
    char *text = rf_malloc(SIZE);
    memset(text, 'x', SIZE);
    text[SIZE - 1] = '\0';
    for (int i = 1; i <= N; i++)
        add(r, i, text, true);
    rf_free(text);
    (void)read_after(r, 1, 0, got, 0, &known);
    assert_false(known);
    assert_int_equal(read_after(r, N, 0, got, 1, &known), 1);
    rf_free(got[0].json);
}

static void word_that_is_too_large_is_refused(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    const size_t size = 70000;
    char *text = rf_malloc(size);
    memset(text, 'x', size);
    text[size - 1] = '\0';
    assert_fails(rf_queue_stream_add(r->scheduler, 1, text, false, &err), RF_USAGE, "too large");
    rf_free(text);
}

typedef struct heard {
    pthread_mutex_t lock;
    pthread_cond_t news;
    int64_t job_id;
    int n;
} heard;

static void hear(void *arg, int64_t job_id)
{
    heard *h = arg;
    pthread_mutex_lock(&h->lock);
    h->job_id = job_id;
    h->n++;
    pthread_cond_signal(&h->news);
    pthread_mutex_unlock(&h->lock);
}

static void listener_hears_of_every_stream_that_has_news(void **state)
{
    rig *r = rig_of(state);
    rf_error err = {0};
    static heard h = {.lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER};
    h.n = 0;
    assert_ok(rf_queue_stream_listen(r->scheduler, hear, &h, &err));
    assert_fails(rf_queue_stream_listen(r->scheduler, hear, &h, &err), RF_CONFLICT, "listener");
    for (int i = 1; i <= 3; i++) {
        add(r, i, "x", false);
        pthread_mutex_lock(&h.lock);
        while (h.n < i)
            pthread_cond_wait(&h.news, &h.lock);
        assert_int_equal(h.job_id, i);
        pthread_mutex_unlock(&h.lock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watcher_reads_on_after_the_last_that_it_saw),
        cmocka_unit_test(stream_keeps_its_last_thousand),
        cmocka_unit_test(ended_streams_give_way_to_newer_ones),
        cmocka_unit_test(word_that_is_too_large_is_refused),
        cmocka_unit_test(listener_hears_of_every_stream_that_has_news),
    };
    return rig_run(tests, sizeof tests / sizeof tests[0]);
}
