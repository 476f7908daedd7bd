#include "cli/progress.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/clock.h"

static const double bar_interval_s = 0.1, line_interval_s = 10.0;
enum { BAR_WIDTH = 24, BAR_LEAST = 4, TAIL_MAX = 256 }; /* the least leaves room for losses on 80 columns */

/* ------------------------------------------------------------------ stopping */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

static void set_handler(void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = handler == SIG_DFL ? 0 : (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void rf_interrupt_begin(void)
{
    interrupted = 0;
    set_handler(on_signal);
}

void rf_interrupt_end(void)
{
    set_handler(SIG_DFL);
}

bool rf_interrupted(void)
{
    return interrupted != 0;
}

/* ------------------------------------------------------------------ words */

void rf_duration_text(char *out, size_t capacity, double seconds)
{
    if (!(seconds >= 0) || seconds > 1e9) {
        snprintf(out, capacity, "?");
        return;
    }
    const long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, capacity, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else if (s >= 60)
        snprintf(out, capacity, "%ld:%02ld", s / 60, s % 60);
    else if (seconds < 10)
        snprintf(out, capacity, "%.1f s", seconds);
    else
        snprintf(out, capacity, "%ld s", s);
}

void rf_count_text(char *out, size_t capacity, int64_t count)
{
    char digits[32];
    const int n = snprintf(digits, sizeof digits, "%lld", (long long)count);
    size_t at = 0;
    for (int i = 0; i < n && at + 2 < capacity; i++) {
        out[at++] = digits[i];
        const int left = n - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-')
            out[at++] = ',';
    }
    out[at] = '\0';
}

static void losses_text(char *out, size_t capacity, const rf_losses *losses, bool brief)
{
    out[0] = '\0';
    if (isfinite(losses->discriminator))
        snprintf(out, capacity, brief ? "  losses %.2f %.2f" : "  generator %.3f, discriminator %.3f",
                 losses->generator, losses->discriminator);
    else if (isfinite(losses->generator))
        snprintf(out, capacity, "  loss %.3f", losses->generator);
}

/* What stands after the bar, from all there is to say down to nothing, for narrower and narrower terminals. */
typedef enum tail { TAIL_FULL, TAIL_BRIEF, TAIL_NO_LOSS, TAIL_NO_RATE, TAIL_TIME, TAIL_NONE } tail;

/* "  epoch 12/300  generator …  96,000 rows/s  1:12 left" */
static void tail_text(char out[TAIL_MAX], const rf_progress *progress, tail form)
{
    char losses[96] = "", count[32], rate[48] = "", left[32], where[64] = "";
    rf_count_text(count, sizeof count, (int64_t)progress->rows_per_s);
    rf_duration_text(left, sizeof left, progress->eta_s);
    if (form <= TAIL_NO_LOSS)
        snprintf(rate, sizeof rate, "  %s rows/s", count);
    if (form <= TAIL_NO_RATE && progress->epochs > 0)
        snprintf(where, sizeof where, "  epoch %lld/%lld", (long long)progress->epoch,
                 (long long)progress->epochs);
    if (form <= TAIL_BRIEF && progress->epochs > 0)
        losses_text(losses, sizeof losses, &progress->losses, form == TAIL_BRIEF);
    if (form == TAIL_NONE)
        out[0] = '\0';
    else
        snprintf(out, TAIL_MAX, "%s%s%s  %s left", where, losses, rate, left);
}

/* ------------------------------------------------------------------ showing */

void rf_progress_view_init(rf_progress_view *view, bool quiet)
{
    memset(view, 0, sizeof *view);
    view->quiet = quiet;
    const char *terminal = getenv("TERM");
    view->terminal = isatty(STDERR_FILENO) == 1 && !(terminal && !strcmp(terminal, "dumb"));
    const char *locale = getenv("LC_ALL");
    if (!locale || !*locale)
        locale = getenv("LC_CTYPE");
    if (!locale || !*locale)
        locale = getenv("LANG");
    view->unicode = locale && (strstr(locale, "UTF-8") || strstr(locale, "utf8"));
    view->last_s = rf_clock_s();
}

static int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

/* A line never wraps: the carriage return would not find its begin. So the tail gives way before the bar, and the bar
 * before the share. */
static void draw_bar(rf_progress_view *view, const rf_progress *progress, double share)
{
    char head[32], after[TAIL_MAX], bar[BAR_WIDTH * 3 + 1] = "";
    const int phase = snprintf(head, sizeof head, "%s ", progress->phase);
    const int room = terminal_columns() - 1 - phase - 5; /* " 100%" */
    int width = 0;
    for (tail form = TAIL_FULL; form <= TAIL_NONE && width < BAR_LEAST; form++) {
        tail_text(after, progress, form);
        width = room - (int)strlen(after);
    }
    width = width > BAR_WIDTH ? BAR_WIDTH : width < 0 ? 0 : width;
    const int full = (int)(share * width + 0.5);
    for (int i = 0; i < width; i++)
        strcat(bar, i < full ? (view->unicode ? "█" : "#") : (view->unicode ? "░" : "."));
    fprintf(stderr, "\r%s%s %3d%%%s\033[K", room >= 0 ? head : "", bar, (int)(share * 100), after);
    fflush(stderr);
    view->shown = true;
}

bool rf_progress_show(void *arg, const rf_progress *progress)
{
    rf_progress_view *view = arg;
    const double now_s = rf_clock_s();
    const double wait_s = view->terminal ? bar_interval_s : line_interval_s;
    if (!view->quiet && now_s - view->last_s >= wait_s) {
        view->last_s = now_s;
        const double share = progress->total > 0 ? (double)progress->done / (double)progress->total : 0;
        if (view->terminal) {
            draw_bar(view, progress, share);
        } else {
            char after[TAIL_MAX];
            tail_text(after, progress, TAIL_FULL);
            fprintf(stderr, "%s %d%%%s\n", progress->phase, (int)(share * 100), after);
        }
    }
    return !rf_interrupted();
}

void rf_progress_clear(rf_progress_view *view)
{
    if (view->shown)
        fputs("\r\033[K", stderr);
    view->shown = false;
}
