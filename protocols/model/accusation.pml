/* Complaints, withheld aggregates, and the accusations of one attempt, up to the removals of its ending
 * (step.md: AGGREGATE, REVEAL; verification.md: Verification 1 and 2, Validators, ACCUSE). Each run looks
 * at one of them: the complaints of the attempt; one aggregate; one pair of validator and target; or one
 * part.
 *
 * Honest peers hold seats 0 .. H-1, Byzantine ones seats H .. N-1. What a peer publishes is TRUE; or at
 * the EDGE: no honest peer finds it more than 2 T away, and some may find it more than T away; or FALSE:
 * all honest peers find it more than 2 T away (fingerprint.md). Honest peers publish what is TRUE.
 *
 * CUT    1: the blob link between the honest seats 0 and 1 may be broken, in one direction or both; it
 *        takes a third honest peer (n >= 4) to get round it. 0: it is whole. The control links are whole.
 *
 * Properties, all asserted. No ban of an honest peer, and no lost seat. No missed step either, but for a
 * sender at a broken link: with f liars more than f receivers lack its part. A complaint that is left has
 * a Byzantine end, or is that of the broken link. Each case ends a seat. A cheat that an honest peer
 * accuses is banned, and so is the accuser of an honest peer. A wrong aggregate is applied only if lies
 * hide it and no honest peer holds the rows. Termination: no end but the last line of init (invalid end
 * states).
 *
 * Planted mistakes: HALF (half of the votes are a majority), NEARLY_ALL (an aggregate must be had by one
 * more than a majority), PUSHED_ONCE (nobody serves what it holds), ACCUSE_AT_T (accusations begin at T,
 * not at 2 T), SUM_IGNORES_CASES (an aggregator whose sum is not zero is banned although it accused a ROW
 * of its part), UNDECIDED_IS_NOTHING (a case in which no majority names a seat ends none; n = 5),
 * UNCHECKED_ENDS_SEAT (the aggregator of an unchecked part leaves), BAR_TOO_LOW (f complaints are too
 * many).
 *
 * Reductions. (1) Peers are alike except for their kind, and roles are chosen freely: so the broken link
 * may be the one between 0 and 1. (2) Byzantine votes are only counted, so how many of them name a seat is
 * chosen, not who. Impossible votes are not: they are a ban of the voter. (3) A Byzantine owner may push
 * at the last moment, when nobody can ask any more: if nobody else has them, the set of honest peers that
 * hold its bytes is arbitrary. (4) Cases are judged in turn; only the seats that they end are kept in
 * between, as in the code. (5) The sum of a part with lies in it may be zero or not, as if lies could hide
 * anything. */

#ifndef N
#define N 3
#endif
#ifndef F
#define F ((N - 1) / 2)
#endif
#ifndef CUT
#define CUT (N > 3)
#endif

#define H (N - F)
#define HONEST ((1 << H) - 1)
#define BENCH (N > 3 -> 3 : N - 1)      /* examiners of a part */
#define TRUE 0
#define EDGE 1
#define FALSE 2
#define bit(seat) (1 << (seat))
#define has(mask, seat) (((mask) >> (seat)) & 1)
#define is_honest(seat) ((seat) < H)
#define size(mask) (has(mask, 0) + has(mask, 1) + has(mask, 2) + has(mask, 3) + has(mask, 4))

#ifdef HALF
#define majority(count) (2 * (count) >= N - 1)
#else
#define majority(count) (2 * (count) > N)
#endif
#ifdef NEARLY_ALL
#define is_available(count) ((count) > N / 2 + 1)
#else
#define is_available(count) majority(count)
#endif
#ifdef BAR_TOO_LOW
#define SENDER_BAR (F - 1)
#else
#define SENDER_BAR (F + 1)
#endif
#ifdef ACCUSE_AT_T
#define may_accuse(v) ((v) != TRUE)
#else
#define may_accuse(v) ((v) == FALSE)
#endif

bool broken01, broken10;        /* the blob link from 0 to 1, and back */
byte holds;                     /* honest seats that hold the bytes of a vote as it closes */
byte banned, left, missed;      /* seats with a BAN, a LEAVE, a MISS */
byte relieved;                  /* seats that aggregate no part in the next attempt */
byte missing[N];                /* by receiver: the senders that it names as missing */

byte part;                      /* the aggregator of the part that is looked at */
bool wrong;                     /* its aggregate is not the fixed point of the committed rows */
byte value[N];                  /* what a contributor published */
bool sum_is_zero, lies, unseen;
bool suspicious;
byte bench, lacking;            /* examiners; those that say that they lack rows */
byte held;                      /* honest examiners that hold the rows of liars */
byte accused[N];                /* by accuser: the contributors that it accuses (ROW) */

byte a, b, i, j, k, count, extra, guilty_a, guilty_t, named_a, named_t, choice;

#define broken(s, t) (((s) == 0 && (t) == 1 && broken01) || ((s) == 1 && (t) == 0 && broken10))

inline choose(out, most) {
    out = 0;
    do
    :: out < most -> out++
    :: break
    od
}

inline maybe_add(mask, seat) {
    if
    :: mask = mask | bit(seat)
    :: skip
    fi
}

/* Whoever lacks the bytes of a vote asks all, and every honest holder serves it: two rounds reach
 * everybody. */
inline serve() {
    k = 0
#ifndef PUSHED_ONCE
    ; d_step {
        for (b : 0 .. 1) {
            for (k : 0 .. H - 1) {
                for (a : 0 .. H - 1) { holds = holds | (has(holds, a) && !broken(a, k) -> bit(k) : 0) }
            }
        }
        a = 0; b = 0; k = 0
    }
#endif
}

/* The owner pushes its bytes; the honest seats `holds` have them anyway. */
inline spread(owner) {
    if
    :: is_honest(owner) ->
        for (k : 0 .. H - 1) { holds = holds | (broken(owner, k) -> 0 : bit(k)) }
        serve()
    :: !is_honest(owner) && holds -> serve()
    :: !is_honest(owner) && !holds ->
        for (k : 0 .. H - 1) { maybe_add(holds, k) }
    fi
}

/* ---------------------------------------------------------------- the parts of an attempt */

/* AGGREGATE: complaints, counted. Senders first (butterfly.judge_complaints); accounts are empty. */
inline complaints() {
    printf("complaints about parts\n");
    for (j : 0 .. N - 1) {
        for (i : 0 .. N - 1) {
            if
            :: i != j && (!is_honest(i) || !is_honest(j) || broken(i, j)) -> maybe_add(missing[j], i)
            :: i != j && is_honest(i) && is_honest(j) && broken(i, j) -> missing[j] = missing[j] | bit(i)
            :: i == j || (is_honest(i) && is_honest(j) && !broken(i, j))
            fi
        }
    }
    for (j : 0 .. N - 1) {
        printf("seat %d says that the parts of seats %d (a mask) are missing\n", j, missing[j])
    }
    i = 0; j = 0;
    d_step {
        for (i : 0 .. N - 1) {
            count = 0;
            for (j : 0 .. N - 1) { count = count + has(missing[j], i) }
            missed = missed | (count > SENDER_BAR -> bit(i) : 0)
        }
        for (j : 0 .. N - 1) { missing[j] = (has(missed, j) -> 0 : missing[j] & ~missed) }
        for (j : 0 .. N - 1) { missed = missed | (size(missing[j]) > F + 1 -> bit(j) : 0) }
        for (j : 0 .. N - 1) {
            missing[j] = (has(missed, j) -> 0 : missing[j]);
            for (i : 0 .. N - 1) {
                assert(!has(missing[j], i) || !is_honest(i) || !is_honest(j) || broken(i, j))
            }
        }
    }
}

/* REVEAL: is the aggregate of seat j there? */
inline reveal() {
    choose(j, N - 1);
    spread(j);
    choose(extra, F);
    printf("the aggregate of seat %d came to honest seats %d (a mask), %d others say so\n", j, holds, extra);
    if
    :: !is_available(size(holds) + extra) -> left = left | bit(j)
    :: else -> assert(holds)            /* or nobody who lacks the aggregate could have it */
    fi
}

/* Each honest voter names one end; at the EDGE it may find either guilty. */
inline name_one(v) {
    if
    :: v != TRUE -> guilty_t++; named_t++
    :: v != FALSE -> guilty_a++; named_a++
    fi
}

/* Add the Byzantine ballots, and end the seats that the votes name (accusation.tally). */
inline tally(accuser, target, is_row) {
    printf("seat %d accuses seat %d, which published %d (0: true, 1: edge, 2: false)\n", accuser, target,
        value[target]);
    printf("honest votes: accuser guilty %d, named %d; target guilty %d, named %d\n", guilty_a, named_a,
        guilty_t, named_t);
    choose(extra, F);
    guilty_t = guilty_t + extra; named_t = named_t + extra;
    choose(extra, F);
    count = 0;
    if
    :: is_row -> choose(count, F - extra)
    :: else
    fi;
    guilty_a = guilty_a + extra; named_a = named_a + extra + count;
    d_step {
        banned = banned | (majority(guilty_a) -> bit(accuser) : 0) | (majority(guilty_t) -> bit(target) : 0);
        left = left | (majority(named_a) -> bit(accuser) : 0) | (majority(named_t) -> bit(target) : 0);
#ifndef UNDECIDED_IS_NOTHING
        left = left | (majority(named_a) || majority(named_t) -> 0 : bit(accuser) | bit(target));
#endif
        assert(has(banned | left, accuser) || has(banned | left, target));
        guilty_a = 0; guilty_t = 0; named_a = 0; named_t = 0; extra = 0; count = 0
    }
}

/* ROW: the accuser sends the row; the target, the aggregator and examiners have it anyway. */
inline judge_row(accuser, target) {
    holds = held & HONEST | (is_honest(part) -> bit(part) : 0) | (is_honest(target) -> bit(target) : 0);
    spread(accuser);
    for (choice : 0 .. H - 1) {
        if
        :: has(holds, choice) -> name_one(value[target])
        :: else -> named_a++
        fi
    }
    tally(accuser, target, 1);
    holds = 0;
    assert(!is_honest(accuser) || has(banned, target));
    assert(!is_honest(target) || has(banned, accuser))
}

/* Validators: seat i of seat j. All recompute the gradient: no bytes. */
inline validation() {
    choose(i, N - 1);
    choose(j, N - 1);
    if
    :: i == j
    :: i != j && !is_honest(j) -> choose(choice, FALSE); value[j] = choice
    :: i != j && is_honest(j)
    fi;
    choice = 0;
    if
    /* GRADIENT: the target's scalars of the step before. */
    :: i != j && (is_honest(i) -> may_accuse(value[j]) : true) ->
        for (k : 0 .. H - 1) { name_one(value[j]) }
        tally(i, j, 0);
        assert(!is_honest(i) || has(banned, j));
        assert(!is_honest(j) || has(banned, i))
    :: i == j || (is_honest(i) && value[j] != FALSE)
    /* FINGERPRINT: both opened one, and they differ by more than 2 T. */
    :: i != j && !(is_honest(i) && is_honest(j)) ->
        if
        :: !is_honest(i) -> choose(choice, FALSE); value[i] = choice
        :: is_honest(i)
        fi;
        choice = 0;
        if
        :: !is_honest(i) && !is_honest(j) || value[i] == FALSE || value[j] == FALSE ->
            for (k : 0 .. H - 1) {
                if
                :: value[j] != TRUE -> guilty_t++; named_t++
                :: value[j] != FALSE
                fi;
                if
                :: value[i] != TRUE -> guilty_a++; named_a++
                :: value[i] != FALSE
                fi
            }
            tally(i, j, 0);
            assert(!is_honest(i) || has(banned, j));
            assert(!is_honest(j) || has(banned, i))
        :: else
        fi
    fi
}

/* The scalars of one part, its examiners, the accusations, the verdict, and the zero sum. */
inline examination() {
    choose(part, N - 1);
    if
    :: !is_honest(part) -> wrong = true
    :: skip
    fi;
    for (k : H .. N - 1) {
        choose(choice, FALSE);
        value[k] = choice;
        lies = lies || value[k] == FALSE
    }
    choice = 0;
    sum_is_zero = !wrong && !lies;
    if
    :: lies -> sum_is_zero = true
    :: skip
    fi;
    if
    :: suspicious = true;
        do
        :: size(bench) < BENCH ->
            choose(k, N - 1);
            bench = bench | (k == part -> 0 : bit(k))
        :: else -> break
        od
    :: skip
    fi;
    /* The rows come to the examiners: an honest aggregator sends all, to whom its link reaches. */
    for (k : 0 .. N - 1) {
        if
        :: has(bench, k) && !is_honest(k) -> maybe_add(lacking, k)
        :: has(bench, k) && is_honest(k) && is_honest(part) ->
            held = held | (broken(part, k) -> 0 : bit(k));
            lacking = lacking | (broken(part, k) -> bit(k) : 0)
        :: has(bench, k) && is_honest(k) && !is_honest(part) ->
            if
            :: held = held | bit(k)                             /* all rows */
            :: held = held | bit(k); lacking = lacking | bit(k) /* those of liars, and not all others */
            :: lacking = lacking | bit(k)
            fi
        :: !has(bench, k)
        fi
    }
    /* Who accuses whom; honest peers of what they find more than 2 T away. */
    for (i : 0 .. N - 1) {
        for (j : 0 .. N - 1) {
            if
            :: i == j || (i != part && !has(bench, i))
            :: i != j && (i == part || has(bench, i)) && !is_honest(i) -> maybe_add(accused[i], j)
            :: i != j && (i == part || has(held, i)) && is_honest(i) ->
                accused[i] = accused[i] | (may_accuse(value[j]) -> bit(j) : 0)
            :: i != j && i != part && has(bench, i) && !has(held, i) && is_honest(i)
            fi
        }
    }
    for (i : 0 .. N - 1) {
        for (j : 0 .. N - 1) {
            if
            :: has(accused[i], j) -> judge_row(i, j)
            :: else
            fi
        }
    }
    /* Agreed numbers: the sum is not zero, and the aggregator accused no ROW of its own part. */
#ifdef SUM_IGNORES_CASES
    banned = banned | (sum_is_zero -> 0 : bit(part));
#else
    banned = banned | (sum_is_zero || accused[part] -> 0 : bit(part));
#endif
    if
    :: 2 * size(lacking) > size(bench) ->
#ifdef UNCHECKED_ENDS_SEAT
        left = left | bit(part);
#endif
        relieved = relieved | bit(part)
    :: else
    fi;
    unseen = sum_is_zero && lies && !is_honest(part) && !(held & HONEST);
    assert(!wrong || unseen || banned || left || relieved)
}

init {
    if
    :: CUT -> broken01 = true
    :: skip
    fi;
    if
    :: CUT -> broken10 = true
    :: skip
    fi;
    if
    :: complaints()
    :: reveal()
    :: validation()
    :: examination()
    fi;
    printf("banned %d, left %d, missed %d (masks of seats)\n", banned, left, missed);
    assert(!(banned & HONEST));
    assert(!(left & HONEST));
    assert(!(missed & HONEST))
}
