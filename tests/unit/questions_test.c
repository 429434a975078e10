/* A page asks, the desk's loop answers; or nobody does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>

#include "watch/questions.h"

struct page {
    struct questions *q;
    struct reason why;
    json_t *answer;
};

static void *ask(void *user)
{
    struct page *p = user;
    p->answer = questions_ask(p->q, json_pack("{s:s}", "what", "trace"), &p->why);
    return NULL;
}

static json_t *wait_for_question(struct questions *q)
{
    struct pollfd wait = {.fd = questions_descriptor(q), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 60000), 1);
    json_t *question = questions_next(q);
    assert_non_null(question);
    return question;
}

static void answered(void **state)
{
    struct page p = {.q = questions_new()};
    pthread_t thread;
    (void)state;
    assert_null(questions_next(p.q));
    assert_int_equal(pthread_create(&thread, NULL, ask, &p), 0);
    json_t *question = wait_for_question(p.q);
    json_int_t number = json_integer_value(json_object_get(question, "asked"));
    questions_answer(p.q, json_pack("{s:I, s:s}", "asked", number - 1, "to", "somebody else"));
    questions_answer(p.q, json_pack("{s:I, s:s}", "asked", number, "to", "this page"));
    pthread_join(thread, NULL);
    assert_string_equal(json_string_value(json_object_get(p.answer, "to")), "this page");
    json_decref(p.answer);
    json_decref(question);
    questions_free(p.q);
}

static void nobody_answers(void **state)
{
    struct page p = {.q = questions_new()};
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, ask, &p), 0);
    json_t *question = wait_for_question(p.q);
    pthread_join(thread, NULL);
    assert_null(p.answer);
    assert_string_equal(p.why.text, "the sensor does not answer; try again");
    questions_answer(p.q, json_pack("{s:O}", "asked", json_object_get(question, "asked"))); /* too late: to nobody */
    json_decref(question);

    assert_int_equal(pthread_create(&thread, NULL, ask, &p), 0);
    question = wait_for_question(p.q);
    questions_answer(p.q, json_pack("{s:O, s:i}", "asked", json_object_get(question, "asked"), "good", 1));
    pthread_join(thread, NULL);
    assert_int_equal(json_integer_value(json_object_get(p.answer, "good")), 1);
    json_decref(p.answer);
    json_decref(question);
    questions_free(p.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answered), cmocka_unit_test(nobody_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
