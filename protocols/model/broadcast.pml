/* One phase P, the vote RECORD after it, and the disputes of both, up to the end of the attempt.
 *
 * Honest peers hold seats 0 .. H-1, one Byzantine peer another seat (F = 1). In P it signs A, B or bytes with a
 * false `previous_set`, several of them if it likes, and sends what it likes to whom it likes, at any time; its
 * votes and its view likewise. A set of P differs in its message alone, so a set is called by it: A or B.
 * R(A) and R(B) are the records that follow from these sets.
 *
 * JOIN    CALLS  a dispute without evidence begins after an honest deadline. VIEWS: at any time.
 * FINAL_SEEN     0: rule 1 takes the first voter's own view for the set of the record, as in the code of old.
 *                1: the voter's record must be the one that follows from its set.
 *
 * Planted mistakes: RULE3_ALWAYS, MISSING_AT_ONCE (rule 6 beside rule 2 and 3), NO_SECOND_CHANCE (no rule 5),
 * NO_ANSWER (a peer that has ended does not answer views), NO_END_IN_DISPUTE (n votes do not end a dispute),
 * HALF (2 votes less than a majority's doubled count are one).
 *
 * Time. Nothing but order counts here. (T1) Between honest peers a message is there before a deadline passes
 * and before a dispute is over: phase_s and 2 R delta are longer than delta. (T2) Honest peers are prompt: at a
 * deadline, each has spoken that could. (T3) A dispute that one honest peer begins, all that have not ended
 * begin before it is over, and all get the same views: dolev_strong.pml. (T4) A peer that has ended answers a
 * view before the dispute is over: 2 delta < 2 R delta.
 *
 * Reductions. (1) Whether a peer holds all other honest messages of a phase is one bit: fewer complete nothing,
 * and in a dispute each author's own view has them. (2) What a peer does at once (complete, freeze on evidence,
 * end) is part of the event that makes it possible. (3) A is the value that an honest peer sees first. (4) The
 * order of seats and of digests is free: of several candidates of a rule, any is taken, the same by all. */

#define VIEWS 0
#define CALLS 1

#ifndef N
#define N 3
#endif
#define F 1
#define H (N - F)
#ifndef JOIN
#define JOIN CALLS
#endif
#ifndef FINAL_SEEN
#define FINAL_SEEN 1
#endif

#define ALL ((1 << H) - 1)
#define NONE 0
#define A 1
#define B 2
#define FALSE_SET 3             /* a message of P with another previous_set */
#define A_SAYS_B 3              /* votes: previous_set A with the record R(B), and so on */
#define B_SAYS_A 4
#define FALSE_VOTE 5
#define ABORT 3
#define has(mask, seat) (((mask) >> (seat)) & 1)
#define bit(x) (1 << (x))
#define many(mask) ((mask) & ((mask) - 1))
#ifdef HALF
#define majority(count) (2 * (count) >= N - 1)
#else
#define majority(count) (2 * (count) > N)
#endif

/* What each honest peer holds, as masks of honest seats or by seat. */
byte spoke;                     /* has signed its message of P */
byte full_p;                    /* holds all honest messages of P */
byte first_p[H], twice_p;       /* the Byzantine message of P; a second one of the slot */
byte vote[H];                   /* own vote: A or B; NONE before */
byte full_v;                    /* holds all honest votes */
byte first_v[H], twice_v;       /* the Byzantine vote; a second one of the slot */
byte vote_seen;                 /* a Byzantine vote for its own record came as the second one */
byte ended[H];                  /* how the attempt ended: R(A), R(B) as A, B; or ABORT */
byte values;                    /* whether A and B have been used */

byte frozen;                    /* in the dispute */
bool resumed_none, resumed_p;   /* rule 5 was used before P, after P */

/* The union of the views of the dispute under way. */
byte in_spoke, in_sets, in_p, in_votes, in_own, in_v;
bool in_twice_p, in_twice_v;

byte view, view_set, view_p, view_v, best, winner, out, k, h;
byte for_a, for_b;
bool byzantine_out;

#define set(p) (has(full_p, p) && first_p[p] < FALSE_SET -> first_p[p] : NONE)
#define is_frozen(p) has(frozen, p)
#define has_voted(p) (vote[p] != NONE)
#define same_votes(p) (vote[0] == vote[p] && vote[1] == vote[p] && vote[H - 1] == vote[p])
#define everyone_voted (has_voted(0) && has_voted(1) && has_voted(H - 1))
#define n_votes(p) (has_voted(p) && has(full_v, p) && same_votes(p) && vote[p] == set(p) && \
    (first_v[p] == vote[p] || has(vote_seen, p)))
#define complete_v(p) (has_voted(p) && has(full_v, p) && first_v[p] != NONE)
#define is_evident(p) (has(twice_p | twice_v, p) || (has(full_p, p) && first_p[p] == FALSE_SET) || \
    (complete_v(p) && !n_votes(p)))
#define works(p) (!is_frozen(p) && ended[p] == NONE)

/* Sign a view, and add it to the union. */
inline freeze(p) {
    frozen = frozen | bit(p);
    in_spoke = in_spoke | (has(full_p, p) -> ALL : spoke & bit(p));
    in_sets = in_sets | (set(p) -> bit(set(p)) : 0);
    in_p = in_p | (first_p[p] -> bit(first_p[p]) : 0);
    in_twice_p = in_twice_p || has(twice_p, p);
    in_v = in_v | (first_v[p] -> bit(first_v[p]) : 0);
    in_twice_v = in_twice_v || has(twice_v, p);
    in_votes = in_votes | (has_voted(p) -> bit(p) : 0);
    in_own = in_own | (has_voted(p) && vote[p] == set(p) -> bit(vote[p]) : 0)
}

/* What a peer does at once. */
inline react(p) {
    if
#ifdef NO_END_IN_DISPUTE
    :: ended[p] == NONE && n_votes(p) && !is_frozen(p) -> ended[p] = vote[p]
#else
    :: ended[p] == NONE && n_votes(p) -> ended[p] = vote[p]
#endif
    :: works(p) && is_evident(p) && !n_votes(p) -> freeze(p)
    :: else
    fi
}

inline take_p(p, what) {
    values = values | (what < FALSE_SET -> bit(what) : 0);
    if
    :: first_p[p] == NONE -> first_p[p] = what
    :: else -> twice_p = twice_p | bit(p)
    fi;
    react(p)
}

inline take_v(p, what) {
    if
    :: first_v[p] == NONE -> first_v[p] = what
    :: else ->
        twice_v = twice_v | bit(p);
        vote_seen = vote_seen | (set(p) == what && has(full_p, p) -> bit(p) : 0)
    fi;
    react(p)
}

/* ---------------------------------------------------------------- the end of a dispute */

/* The Byzantine peer's view, as all accepted it: none, two, or one with whatever has been signed. */
inline byzantine_view() {
    view_set = NONE; view_p = NONE; view_v = NONE;
    if
    :: view = 0
    :: view = 2
    :: view = 1;
        if
        :: spoke == ALL -> view_set = A; view_p = A; in_spoke = ALL
        :: spoke == ALL -> view_set = B; view_p = B; in_spoke = ALL
        :: view_p = NONE
        :: view_p = A
        :: view_p = B
        :: view_p = FALSE_SET
        fi;
        if
        :: view_v = NONE
        :: view_v = A
        :: view_v = B
        :: view_v = A_SAYS_B
        :: view_v = B_SAYS_A
        :: view_v = FALSE_VOTE
        fi;
        in_sets = in_sets | (view_set -> bit(view_set) : 0);
        in_p = in_p | (view_p -> bit(view_p) : 0);
        in_v = in_v | (view_v -> bit(view_v) : 0)
    fi
}

inline count_votes() {
    for_a = (has(in_v, A) || has(in_v, B_SAYS_A) -> 1 : 0);
    for_b = (has(in_v, B) || has(in_v, A_SAYS_B) -> 1 : 0);
    for (k : 0 .. H - 1) {
        for_a = for_a + (has(in_votes, k) && vote[k] == A -> 1 : 0);
        for_b = for_b + (has(in_votes, k) && vote[k] == B -> 1 : 0)
    }
}

/* Rule 1: `winner` is the final record, `best` the set in a view of one that voted for it. */
#define seen_by_byzantine(record, says) \
    ((view_v == record && view_set == record) || (!FINAL_SEEN && view_v == says && view_set == 3 - record))
inline rule_1() {
    winner = NONE;
    if
    :: majority(for_a) && has(in_own, A) -> winner = A; best = A
    :: majority(for_b) && has(in_own, B) -> winner = B; best = B
    :: majority(for_a) && view_v == A && view_set == A -> winner = A; best = A
    :: majority(for_b) && view_v == B && view_set == B -> winner = B; best = B
    :: !FINAL_SEEN && majority(for_a) && view_v == B_SAYS_A && view_set == B -> winner = A; best = B
    :: !FINAL_SEEN && majority(for_b) && view_v == A_SAYS_B && view_set == A -> winner = B; best = A
    :: !(majority(for_a) && (has(in_own, A) || (view_v == A && view_set == A))) &&
       !(majority(for_b) && (has(in_own, B) || (view_v == B && view_set == B))) &&
       (FINAL_SEEN || !((majority(for_a) && view_v == B_SAYS_A && view_set == B) ||
                        (majority(for_b) && view_v == A_SAYS_B && view_set == A)))
    fi
}

/* Rules 2 and 3: honest seats in `out`, and the Byzantine one. */
inline offenders() {
    out = ALL & ~frozen;
    byzantine_out = (view != 1) || many(in_p) || many(in_v) || in_twice_p || in_twice_v;
    if
    :: best == NONE -> byzantine_out = byzantine_out || has(in_p, FALSE_SET)
    :: else ->
        if
#ifdef RULE3_ALWAYS
        :: true ->
#else
        :: !many(in_p) && !in_twice_p ->
#endif
            byzantine_out = byzantine_out || has(in_v, FALSE_VOTE) || has(in_v, 3 - best) ||
                has(in_v, (best == A -> B_SAYS_A : A_SAYS_B));
            for (k : 0 .. H - 1) {
                out = out | (has(in_votes, k) && vote[k] != best -> bit(k) : 0)
            }
        :: else
        fi
    fi
}

/* Rules 4 to 6, for the peers that lack a message of the phase after `best`. */
#define missing (best == NONE -> ALL & ~in_spoke : ALL & ~in_votes)
#define byzantine_missing (best == NONE -> !in_p : !in_v)
#define resumed (best == NONE -> resumed_none : resumed_p)
#ifdef NO_SECOND_CHANCE
#define may_go_on (!missing && !byzantine_missing)
#else
#define may_go_on ((!missing && !byzantine_missing) || !resumed)
#endif

inline end_all(how) {
    for (k : 0 .. H - 1) {
        if
        :: is_frozen(k) && ended[k] == NONE -> ended[k] = how
        :: is_frozen(k) && ended[k] != NONE -> assert(ended[k] == how)
        :: else
        fi
    }
}

/* All take the agreed messages, and leave the dispute. */
inline go_on() {
    for (k : 0 .. H - 1) {
        if
        :: is_frozen(k) && ended[k] == NONE && best != NONE -> first_p[k] = best; full_p = full_p | bit(k)
        :: is_frozen(k) && ended[k] == NONE && best == NONE && in_p && first_p[k] == NONE ->
            first_p[k] = (has(in_p, A) -> A : (has(in_p, B) -> B : FALSE_SET))
        :: else
        fi;
        if
        :: is_frozen(k) && in_spoke == ALL && best == NONE -> full_p = full_p | bit(k)
        :: else
        fi;
        if
        :: is_frozen(k) && in_v && best != NONE && first_v[k] == NONE ->
            first_v[k] = (has(in_v, A) -> A : (has(in_v, B) -> B :
                (has(in_v, A_SAYS_B) -> A_SAYS_B : (has(in_v, B_SAYS_A) -> B_SAYS_A : FALSE_VOTE))))
        :: else
        fi;
        if
        :: is_frozen(k) && in_votes == ALL && best != NONE -> full_v = full_v | bit(k)
        :: else
        fi
    }
    resumed_none = resumed_none || best == NONE;
    resumed_p = resumed_p || best != NONE
}

inline clear() {
    frozen = 0; in_spoke = 0; in_sets = 0; in_p = 0; in_votes = 0; in_own = 0; in_v = 0;
    in_twice_p = false; in_twice_v = false; byzantine_out = false;
    view = 0; view_set = 0; view_p = 0; view_v = 0; best = 0; winner = 0; out = 0; for_a = 0; for_b = 0; k = 0
}

inline decide() {
    byzantine_view();
    count_votes();
    rule_1();
    if
    :: winner != NONE ->
        /* All make the record of the set that they take: it is the one that was voted for. */
        assert(winner == best);
        end_all(winner)
    :: else ->
        if
        :: has(in_sets, A) -> best = A
        :: has(in_sets, B) -> best = B
        :: !in_sets -> best = NONE
        fi;
        offenders();
#ifdef MISSING_AT_ONCE
        if
        :: byzantine_out -> out = out | missing
        :: else
        fi;
#endif
        if
        :: !out && !byzantine_out && !may_go_on -> out = missing; byzantine_out = true
        :: else
        fi;
        /* No honest peer is removed. */
        assert(!out);
        if
        :: byzantine_out -> end_all(ABORT)
        :: else -> go_on()
        fi
    fi;
    clear();
    for (h : 0 .. H - 1) { react(h) }
    h = 0
}

/* ---------------------------------------------------------------- what may happen next */

/* The honest messages that exist are everywhere, and each honest peer has said what it could: T1 and T2. */
#define said(p) (!works(p) || (has(spoke, p) && (!set(p) || has_voted(p))))
#define got(p) (ended[p] != NONE || ((has(full_p, p) || spoke != ALL) && (has(full_v, p) || !everyone_voted)))
/* Peers that ended without this dispute. */
#define away(p) (ended[p] != NONE && !is_frozen(p))
#define joined(p) (is_frozen(p) || ended[p] != NONE)

#define then(what) -> atomic { what; k = 0 }
#define PEER(p) \
    :: works(p) && !has(spoke, p) then(spoke = spoke | bit(p)) \
    :: spoke == ALL && !has(full_p, p) then(full_p = full_p | bit(p); react(p)) \
    :: works(p) && set(p) && !has_voted(p) then(vote[p] = set(p); react(p)) \
    :: everyone_voted && !has(full_v, p) then(full_v = full_v | bit(p); react(p)) \
    :: ended[p] == NONE && first_p[p] != A && !has(twice_p, p) then(take_p(p, A)) \
    :: ended[p] == NONE && first_p[p] != B && !has(twice_p, p) && has(values, A) then(take_p(p, B)) \
    :: ended[p] == NONE && first_p[p] != FALSE_SET && !has(twice_p, p) then(take_p(p, FALSE_SET)) \
    VOTE(p, A) VOTE(p, B) VOTE(p, A_SAYS_B) VOTE(p, B_SAYS_A) VOTE(p, FALSE_VOTE) \
    /* A dispute without evidence; joining one; the answer of a peer that has ended. */ \
    :: works(p) && !frozen && (all(said) && all(got) || (JOIN == VIEWS && !resumed_none && !resumed_p)) \
        then(freeze(p)) \
    :: works(p) && frozen then(freeze(p)) \
    ANSWERED(p)
#define VOTE(p, x) \
    :: ended[p] == NONE && first_v[p] != x && !has(twice_v, p) && has(values, A) then(take_v(p, x))
#ifdef NO_ANSWER
#define ANSWERED(p)
#define may_decide true
#else
#define ANSWERED(p) \
    :: is_frozen(p) && ended[p] == NONE && (away(0) || away(1) || away(H - 1)) \
        then(ended[p] = (away(0) -> ended[0] : (away(1) -> ended[1] : ended[H - 1])))
#define may_decide (!away(0) && !away(1) && !away(H - 1))
#endif

#if H == 2
#define EACH PEER(0) PEER(1)
#define all(what) (what(0) && what(1))
#else
#define EACH PEER(0) PEER(1) PEER(2)
#define all(what) (what(0) && what(1) && what(2))
#endif
#define has_ended(p) (ended[p] != NONE)

active proctype world() {
    do
    :: all(has_ended) -> break
    :: !all(has_ended) && frozen && all(joined) && all(got) && may_decide then(decide())
    EACH
    od;
    /* Agreement; that this line is reached from everywhere is termination. */
    assert(ended[0] == ended[1] && ended[0] == ended[H - 1])
}
