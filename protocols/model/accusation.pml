/* Votes on bytes: REVEAL, complaints about parts, VERDICT; one attempt, one vote after the other.
 *
 * Honest peers hold seats 0 .. H-1, Byzantine ones seats H .. N-1. The blob link between the honest seats 0
 * and 1 may be broken, in one direction or both; the control links are whole (broadcast.pml is about these).
 *
 * RULE   PUSHED  a blob that a vote depends on is pushed once, by its owner
 *        SERVED  whoever lacks it asks every holder before the vote closes, and every honest holder serves it
 *        SPARED  SERVED, and a vote that no majority of accusers decides removes nobody: the attempt ends, and
 *                the aggregator that the vote is about aggregates no part in the attempts that follow
 * CUT    1: the link may be broken. 0: it is whole.
 * BANS_ALONE  a lost seat or step of an honest peer is no violation, a ban is.
 * BAR    SPARED only: a sender or receiver that more than BAR complaints name misses the step.
 *
 * Planted mistakes, one at a time: HALF, NEARLY_ALL, SUM_IGNORES_CASES, UNDECIDED_IS_NOTHING.
 *
 * Reductions. (1) The peers are alike except for their kind, and the roles in a case are chosen freely: so the
 * broken link may be the one between 0 and 1. (2) Byzantine votes are only counted, so how many of them name a
 * seat is chosen, not who. (3) A Byzantine owner may push at the last moment, when nobody can ask any more, so
 * the set of honest peers that hold its bytes is arbitrary under every rule. (4) The rows of a part that is
 * averaged again are one token: such an owner can bring about every set of holders with it. (5) Cases are
 * judged in turn; only the seats that they end are kept in between, as in the code. */

#define PUSHED 0
#define SERVED 1
#define SPARED 2

#ifndef N
#define N 3
#endif
#ifndef F
#define F ((N - 1) / 2)
#endif
#ifndef RULE
#define RULE SERVED
#endif
#ifndef CUT
#define CUT 1
#endif
#ifndef BAR
#define BAR (F + CUT)
#endif

#define H (N - F)
#define HONEST ((1 << H) - 1)
#define NOBODY 255
#define has(mask, seat) (((mask) >> (seat)) & 1)
#define is_honest(seat) ((seat) < H)

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

bool broken01, broken10;        /* the blob link from 0 to 1, and back */
byte holds;                     /* honest seats that hold the bytes of the vote as it closes */
byte banned, removed;           /* seats with a BAN; seats with a LEAVE or a MISS */
byte relieved;                  /* seats that aggregate no part in the next attempt */
bool aborted;                   /* the attempt ends without a step */

byte part;                      /* VERDICT: the aggregator whose part is looked at */
bool wrong;                     /* its aggregate is not the fixed point of the committed rows */
byte lies;                      /* contributors whose published scalars of the part are false */
bool sum_is_zero;               /* what all peers add up from the published scalars */
byte accused;                   /* contributors that the aggregator accuses (ROW) */
bool averaged;                  /* a majority published norms above Delta_max (AVERAGING) */

byte a, b, i, j, k, seat, count, extra, present, invalid;
byte guilty[N], named[N];
bool decided, is_false, seen;

#define broken(s, t) (((s) == 0 && (t) == 1 && broken01) || ((s) == 1 && (t) == 0 && broken10))

/* Choose `out` between 0 and `most`. */
inline choose(out, most) {
    out = 0;
    do
    :: out < most -> out++
    :: break
    od
}

/* Honest holders serve those that ask; two rounds of asking reach everybody who can be reached. */
inline serve() {
    if
    :: RULE != PUSHED ->
        for (b : 0 .. H - 1) {
            for (k : 0 .. H - 1) {
                for (a : 0 .. H - 1) {
                    if
                    :: has(holds, a) && !broken(a, k) -> holds = holds | (1 << k)
                    :: else
                    fi
                }
            }
        }
    :: else
    fi
}

/* The owner pushes its bytes; `also` is a seat that holds them anyway, or NOBODY. */
inline spread(owner, also) {
    holds = 0;
    if
    :: is_honest(owner) ->
        for (k : 0 .. H - 1) {
            if
            :: !broken(owner, k) -> holds = holds | (1 << k)
            :: else
            fi
        }
    :: else ->
        for (k : 0 .. H - 1) {
            if
            :: holds = holds | (1 << k)
            :: skip
            fi
        }
    fi;
    if
    :: also < H -> holds = holds | (1 << also)
    :: else
    fi;
    if
    :: is_honest(owner) || also < H -> serve()
    :: else
    fi
}

inline count_holders() {
    count = 0;
    for (k : 0 .. H - 1) { count = count + has(holds, k) }
}

/* ---------------------------------------------------------------- the votes */

/* Is the aggregate of seat j there? */
inline reveal() {
    choose(j, N - 1);
    spread(j, NOBODY);
    count_holders();
    choose(extra, F);
    count = count + extra;
    if
    :: !is_available(count) && RULE == SPARED -> relieved = relieved | (1 << j); aborted = true
    :: !is_available(count) && RULE != SPARED -> removed = removed | (1 << j); aborted = true
    :: else -> assert(holds != 0)       /* or the aggregate could not be had by anybody who lacks it */
    fi
}

/* Seat j says that the part of seat i did not come. All vote whether it came here (rules PUSHED and SERVED). */
inline relay() {
    choose(i, N - 1);
    choose(j, N - 1);
    if
    :: i != j && (!is_honest(j) || !is_honest(i) || broken(i, j)) ->
        is_false = false;
        if
        :: !is_honest(i) -> is_false = true         /* the bytes are of a wrong size */
        :: skip
        fi;
        spread(i, NOBODY);
        count_holders();
        choose(extra, F);                           /* Byzantine votes that it came: valid ... */
        present = extra + (is_false -> 0 : count);
        choose(extra, F - extra);                   /* ... or invalid */
        invalid = extra + (is_false -> count : 0);
        aborted = true;
        if
        :: majority(invalid) -> banned = banned | (1 << i)
        :: else ->
            if
            :: !majority(present) -> removed = removed | (1 << i)
            :: else ->
                /* The pair is relayed. In the next attempt seat j asks all holders (SERVED: whoever lacks the
                 * part asks); if it still has nothing it complains, and misses the step as unreachable. */
                serve();
                seen = has(holds, j);
                for (k : 0 .. H - 1) {
                    if
                    :: has(holds, k) && !broken(k, j) -> seen = true
                    :: else
                    fi
                }
                if
                :: !is_honest(j) || !seen -> removed = removed | (1 << j)
                :: else
                fi
            fi
        fi
    :: else
    fi
}

/* Complaints are counted, not voted on (rule SPARED): who has too many of them misses the step, senders first. */
inline complaints() {
    aborted = true;
    choose(i, N - 1);
    /* about sender i: the honest receivers that lack its part, and any number of Byzantine ones */
    count = 0;
    if
    :: is_honest(i) -> for (k : 0 .. H - 1) { count = count + broken(i, k) }
    :: else -> choose(count, H)
    fi;
    choose(extra, F - (is_honest(i) -> 0 : 1));
    if
    :: count + extra > BAR -> removed = removed | (1 << i)
    :: else ->
        /* by receiver j, of whatever is left: Byzantine senders kept their parts back */
        choose(j, N - 1);
        if
        :: is_honest(j) ->
            choose(extra, F);
            count = extra;
            for (k : 0 .. H - 1) { count = count + broken(k, j) }
        :: else -> choose(count, N - 1)
        fi;
        if
        :: count > BAR -> removed = removed | (1 << j)
        :: count > 0 && count <= BAR -> relieved = relieved | (1 << j)
        :: else
        fi
    fi
}

/* One honest ballot names a seat as guilty or as unavailable. */
inline name(who, how) {
    named[who] = named[who] + 1;
    guilty[who] = guilty[who] + how
}

/* Add the Byzantine ballots, then end the seats that the votes name: `tally`, for one case. */
inline tally(accuser, target, is_averaging) {
    decided = false;
    for (k : 0 .. N - 1) {
        choose(extra, F);
        named[k] = named[k] + extra;
        choose(count, extra);
        guilty[k] = guilty[k] + count;
        if
        :: majority(guilty[k]) -> banned = banned | (1 << k); decided = true
        :: !majority(guilty[k]) && majority(named[k]) && RULE != SPARED ->
            removed = removed | (1 << k); decided = true
        :: else
        fi;
        guilty[k] = 0;
        named[k] = 0
    }
    extra = 0;
    if
#ifndef UNDECIDED_IS_NOTHING
    :: !decided && !is_averaging && RULE != SPARED ->
        removed = removed | (1 << accuser) | (1 << target)
#endif
    /* No majority says who is guilty: the attempt ends, the part goes to nobody's aggregator again. An honest
     * majority that found an averaged part right goes on: it holds all rows. */
    :: !decided && RULE == SPARED && !(is_averaging && seen) ->
        relieved = relieved | (1 << accuser); aborted = true
    :: else
    fi
}

/* ROW: the aggregator says that contributor i published false scalars of its row. */
inline judge_row(target) {
    spread(part, target);       /* the target holds its own row */
    for (a : 0 .. H - 1) {
        if
        :: has(holds, a) && has(lies, target) -> name(target, 1)
        :: has(holds, a) && !has(lies, target) -> name(part, 1)
        :: else -> name(part, 0)
        fi
    }
    tally(part, target, false)
}

/* AVERAGING: all rows of the part are sent to all, who average again. */
inline judge_averaging() {
    spread(part, NOBODY);
    seen = true;
    for (a : 0 .. H - 1) {
        if
        :: has(holds, a) ->
            for (b : 0 .. N - 1) {
                if
                :: has(lies, b) || (b == part && wrong) -> name(b, 1)
                :: else
                fi
            }
        :: else -> name(part, 0)
        fi
    }
    if
    :: RULE == SPARED -> seen = (holds == HONEST && !wrong)
    :: else
    fi;
    tally(part, part, true)
}

/* What is published of one part, who is accused, and how the cases end. */
inline verdict() {
    choose(part, N - 1);
    if
    :: !is_honest(part) -> wrong = true
    :: skip
    fi;
    for (k : H .. N - 1) {
        if
        :: lies = lies | (1 << k)
        :: skip
        fi
    }
    /* Lies move the sum; they can hide a wrong aggregate, and two of them each other. */
    sum_is_zero = !wrong && !lies;
    if
    :: (wrong && lies) || (lies & (lies - 1)) -> sum_is_zero = true
    :: skip
    fi;
    if
    :: is_honest(part) -> accused = lies
    :: else ->
        for (k : 0 .. N - 1) {
            if
            :: k != part -> accused = accused | (1 << k)
            :: skip
            fi
        }
    fi;
    if
    :: averaged = true
    :: skip
    fi;
    if
    /* Agreed numbers: an aggregator without a case whose sum is not zero. */
    :: !accused && !sum_is_zero -> banned = banned | (1 << part)
    :: else
    fi;
    for (i : 0 .. N - 1) {
        if
        :: has(accused, i) -> judge_row(i)
        :: else
        fi
    }
    if
    :: averaged -> judge_averaging()
    :: else
    fi;
    if
    /* One of the rows that it accused was found false: that explains the sum. Rule SPARED judges who accuses
     * by its cases alone. */
#ifdef SUM_IGNORES_CASES
    :: !sum_is_zero -> banned = banned | (1 << part)
#endif
    :: !sum_is_zero && accused && !(accused & banned) && RULE != SPARED -> banned = banned | (1 << part)
    :: else
    fi
}

/* GRADIENT: validator i accuses target j of the gradient of the step before. All recompute it: no bytes. */
inline gradient() {
    choose(i, N - 1);
    choose(j, N - 1);
    is_false = false;
    if
    :: !is_honest(j) -> is_false = true
    :: skip
    fi;
    if
    :: i != j && (is_false || !is_honest(i)) ->
        if
        :: is_false -> seat = j
        :: else -> seat = i
        fi;
        for (a : 0 .. H - 1) { name(seat, 1) }
        tally(i, j, false);
        assert(has(banned, seat))
    :: else
    fi
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
    :: reveal()
    :: RULE != SPARED -> relay()
    :: RULE == SPARED -> complaints()
    :: gradient()
    :: verdict();
        aborted = aborted || banned || removed;
        /* A wrong aggregate is applied only if lies hide it and nobody looks: verification.md, gain 3. */
        assert(!(wrong && !aborted) || (sum_is_zero && !accused && !averaged));
        /* An honest aggregator's true accusation ends the liar, or the attempt. */
        assert(!(is_honest(part) && accused) || aborted);
        assert(!(is_honest(part) && accused && RULE == SERVED) || (accused & banned) == accused)
    fi;
    /* No honest peer is banned, and none loses its seat or the step. */
    assert(!(banned & HONEST));
#ifndef BANS_ALONE
    assert(!(removed & HONEST))
#endif
}
