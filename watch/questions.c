/* In: questions of the web room's thread, one at a time.  Out: to the desk's loop, and the answers back. */
#include "watch/questions.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define WAIT 2 /* seconds */

struct questions {
    pthread_mutex_t one; /* asks at a time */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    json_int_t number;
    json_t *question, *answer; /* not yet taken by the other side */
    int event;
};

struct questions *questions_new(void)
{
    struct questions *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    pthread_mutex_init(&q->one, NULL);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->answered, NULL);
    q->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->event >= 0)
        return q;
    questions_free(q);
    return NULL;
}

void questions_free(struct questions *q)
{
    if (!q)
        return;
    if (q->event >= 0)
        close(q->event);
    json_decref(q->question);
    json_decref(q->answer);
    pthread_cond_destroy(&q->answered);
    pthread_mutex_destroy(&q->lock);
    pthread_mutex_destroy(&q->one);
    free(q);
}

json_t *questions_ask(struct questions *q, json_t *question, struct reason *why)
{
    struct timespec until;
    uint64_t one = 1;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT;
    pthread_mutex_lock(&q->one);
    pthread_mutex_lock(&q->lock);
    json_object_set_new(question, "asked", json_integer(++q->number));
    json_decref(q->question);
    q->question = question;
    if (write(q->event, &one, sizeof one) < 0)
        until.tv_sec = 0; /* cannot be: the counter is read each time */
    while (!q->answer && pthread_cond_timedwait(&q->answered, &q->lock, &until) == 0)
        continue;
    json_t *answer = q->answer;
    q->answer = NULL;
    q->number++; /* an answer that comes later is to nobody */
    pthread_mutex_unlock(&q->lock);
    pthread_mutex_unlock(&q->one);
    if (!answer)
        reason_say(why, "the sensor does not answer; try again");
    return answer;
}

int questions_descriptor(const struct questions *q)
{
    return q->event;
}

json_t *questions_next(struct questions *q)
{
    uint64_t count;
    pthread_mutex_lock(&q->lock);
    json_t *question = read(q->event, &count, sizeof count) > 0 ? q->question : NULL;
    if (question)
        q->question = NULL;
    pthread_mutex_unlock(&q->lock);
    return question;
}

void questions_answer(struct questions *q, json_t *answer)
{
    pthread_mutex_lock(&q->lock);
    if (!q->answer && json_integer_value(json_object_get(answer, "asked")) == q->number) {
        q->answer = answer;
        answer = NULL;
        pthread_cond_signal(&q->answered);
    }
    json_decref(answer);
    pthread_mutex_unlock(&q->lock);
}
