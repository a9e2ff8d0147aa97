/* One phase P, the vote RECORD after it, and the disputes of both, up to the end of the attempt
 * (broadcast.md: Fast path; Dispute, Begin, View, Decision; lemma 3 and claims A to D).
 *
 * Honest peers hold seats 0 .. H-1, one Byzantine peer another seat (F = 1). In P it signs A, B or bytes
 * with a false `previous_set`, several of them if it likes, and sends what it likes to whom it likes, at
 * any time; its votes, its view and its endorsements likewise. A set of P differs in its message alone, so
 * a set is called by it: A or B. R(A) and R(B) are the records that follow from these sets.
 *
 * SLOW   1: honest peers may be slower than the deadline: they may be removed as missing, and all may wait
 *        for ever; agreement and claim B hold nevertheless. 0: they are prompt.
 *
 * Properties. Agreement: honest peers end the attempt alike, and none is halted (`end`, `decide`). Finality:
 * a record of P has a majority of votes, an ABORT one of endorsements, the Byzantine ones counted with
 * (`end`). Claim B: no honest peer is banned, and none removed if honest peers are prompt (`decide`).
 * Claim D: at most two disputes at one p (`decide`). Termination: no end but the last line of world
 * (invalid end states); no run goes on for ever (non-progress cycles, SLOW=0).
 *
 * Planted mistakes: HALF (half of the votes are a majority), RULE3_ALWAYS (rule 3 is applied although a
 * peer equivocated in p), MISSING_AT_ONCE (rule 6 beside rules 2 and 3), NO_SECOND_CHANCE (no rule 5),
 * NO_ANSWER (a peer that has ended does not answer), NO_RULE_1 (votes in the views are not counted),
 * ANY_SET (rule 1 takes the set of any voter's view), NO_RULE_6 (nobody is removed as missing in q),
 * NO_CALLS (evidence alone begins a dispute).
 *
 * Assumptions. (T1) A dispute that one honest peer begins, all that have not ended begin before it is
 * over, and all get the same views: dolev_strong.pml. (T2) SLOW=0: who was resumed together with all
 * others has spoken by the deadline after that; the deadlines before the first resumption may come at any
 * time (rule 5). (T3) A peer that has ended answers a call or a view before the dispute is over.
 *
 * Reductions. (1) Whether a peer holds a message of the Byzantine peer shows only when its set completes,
 * when it signs a view, or when a second one comes. So what it holds is chosen then; in a view, when the
 * views are read. `slot_p` and `slot_v` are what all took from a dispute. (2) Honest messages are in the
 * view of their author; other views need not be searched for them. (3) A is the value that is used first.
 * (4) The order of seats and digests is free: of several candidates of a rule any is taken, the same by
 * all. */

#ifndef N
#define N 3
#endif
#define F 1
#define H (N - F)
#ifndef SLOW
#define SLOW 0
#endif

#define ALL ((1 << H) - 1)
#define NONE 0
#define A 1
#define B 2
#define FALSE_SET 3             /* a message of P with another previous_set */
#define A_SAYS_B 3              /* votes: previous_set A with the record R(B), and so on */
#define B_SAYS_A 4
#define FALSE_VOTE 5            /* another previous_set, or another record */
#define ABORT 3
#define has(mask, seat) (((mask) >> (seat)) & 1)
#define bit(x) (1 << (x))
#define many(mask) ((mask) & ((mask) - 1))
#define size(mask) (has(mask, 0) + has(mask, 1) + has(mask, 2))
#define is_majority(count) (2 * (count) > N)
#ifdef HALF
#define majority(count) (2 * (count) >= N - 1)
#else
#define majority(count) is_majority(count)
#endif
#define most_besides(count) (2 * (count) < N)   /* most participants are others than these */

byte spoke;                     /* has signed its message of P: honest seats */
byte set[H];                    /* the set of P that a peer completed: A, B; NONE before */
byte vote[H];                   /* the record that it voted for, likewise */
byte ended[H];                  /* how the attempt ended for it: R(A), R(B) as A, B; or ABORT */
byte frozen;                    /* in the dispute */
byte endorsing;                 /* has signed the ABORT record of a dispute */
byte values;                    /* whether A and B have been used */
byte slot_p, slot_v;            /* the Byzantine message of P, the Byzantine vote, if all took one */
byte disputes_none, disputes_p; /* how many disputes were decided before P, and after P */
/* Of the views of the dispute under way: what made it begin, on top of what is chosen when they are read. */
byte in_p, in_v;                /* Byzantine messages of P; votes */
bool in_twice;                  /* a pair of messages of one slot */
bool silent;                    /* the Byzantine peer sends nothing any more: the others end without it */

byte how, view, view_set, view_v, in_sets, in_own, best, winner, found, absent, missing, for_a, for_b, k, x;
bool byzantine_absent, byzantine_found, byzantine_missing;

#define is_frozen(p) has(frozen, p)
#define works(p) (!is_frozen(p) && !has(endorsing, p) && ended[p] == NONE)
#define has_spoken(p) has(spoke, p)
#define has_voted(p) (vote[p] != NONE)
#define has_set(p) (set[p] != NONE)
#define has_ended(p) (ended[p] != NONE)
#define away(p) (has_ended(p) && !is_frozen(p))
#define settled(p) (has_ended(p) || is_frozen(p))
#if H == 2
#define all(what) (what(0) && what(1))
#define any(what) (what(0) || what(1))
#define EACH PEER(0) PEER(1)
#else
#define all(what) (what(0) && what(1) && what(2))
#define any(what) (what(0) || what(1) || what(2))
#define EACH PEER(0) PEER(1) PEER(2)
#endif
#define voted_alike (all(has_voted) && vote[0] == vote[1] && vote[0] == vote[H - 1])
#define voters(record) ((vote[0] == (record)) + (vote[1] == (record)) + (H > 2 && vote[H - 1] == (record)))

/* A peer ends the attempt. Its record has a majority, and is that of everybody who has ended. */
inline end(p, way) {
    how = way;
    printf("peer %d ends the attempt with record %d (1: R(A), 2: R(B), 3: ABORT)\n", p, how);
    assert(is_majority(F + (how == ABORT -> size(endorsing) : voters(how))));
    for (x : 0 .. H - 1) { assert(ended[x] == NONE || ended[x] == how) }
    ended[p] = how
}

inline others_end() {                   /* The certificate in an answer. */
    how = (has_ended(0) -> ended[0] : (has_ended(1) -> ended[1] : ended[H - 1]))
}

inline freeze(p) {
    printf("peer %d falls into dispute\n", p);
    frozen = frozen | bit(p)
}

inline speak(p) {
    printf("peer %d signs its message of P\n", p);
    spoke = spoke | bit(p)
}

inline cast(p) {
    printf("peer %d votes for the record of its set\n", p);
    vote[p] = set[p]
}

/* P is complete with the Byzantine message `what`; a false previous_set is evidence (Begin). */
inline complete_p(p, what) {
    printf("peer %d has all messages of P, the Byzantine one says %d (1: A, 2: B, 3: false set)\n", p, what);
    if
    :: what == FALSE_SET -> in_p = in_p | bit(FALSE_SET); freeze(p)
    :: else -> values = values | bit(what); set[p] = what
    fi
}

/* The votes are complete with the Byzantine vote `what`: the end, or evidence. A vote for the own record
 * counts even as the second one of its author, so `slot_v` prevents nothing. */
inline complete_v(p, what) {
    printf("peer %d has all votes, the Byzantine one is %d (3 to 5: it agrees with no record)\n", p, what);
    if
    :: voted_alike && what == vote[p] -> end(p, vote[p])
    :: else -> in_v = in_v | bit(what); freeze(p)
    fi
}

/* ---------------------------------------------------------------- the end of a dispute: Decision */

/* A Byzantine message of P is in a view, or not. */
#define MAYBE(mask, what) \
    if \
    :: mask = mask | bit(what) \
    :: true \
    fi

/* The union of all views. Honest ones have own messages, the last completed set, and messages of the phase
 * collected. Which Byzantine messages they have all together is chosen, more of them than fit, if
 * anything. */
inline all_views() {
    for (k : 0 .. H - 1) {
        in_sets = in_sets | (is_frozen(k) && has_set(k) -> bit(set[k]) : 0);
        in_own = in_own | (is_frozen(k) && has_set(k) && vote[k] == set[k] -> bit(set[k]) : 0)
    }
    in_p = in_p | in_sets | (slot_p -> bit(slot_p) : 0);
    in_v = in_v | (slot_v -> bit(slot_v) : 0) | (view_v -> bit(view_v) : 0);
    if
    :: all(has_set) && view != 1
    :: !all(has_set) || view == 1 ->
        MAYBE(in_p, A);
        values = values | in_p & bit(A);
        if
        :: has(values, A) -> MAYBE(in_p, B)
        :: else
        fi;
        MAYBE(in_p, FALSE_SET)
    fi;
    if
    :: !in_sets
    :: in_sets ->
        MAYBE(in_v, A);
        MAYBE(in_v, B);
        MAYBE(in_v, A_SAYS_B);
        MAYBE(in_v, B_SAYS_A);
        MAYBE(in_v, FALSE_VOTE)
    fi
}

/* The Byzantine peer's view, as all accepted it: none (or one that proves nothing), two, or one with any
 * set that can exist, and a vote that rule 1 may take with it. */
inline byzantine_view() {
    if
    :: view = 0
    :: view = 2
    :: view = 1;
        if
        :: spoke == ALL -> view_set = A; values = values | bit(A)
        :: spoke == ALL && has(values, A) -> view_set = B
        :: true
        fi;
        in_sets = in_sets | (view_set -> bit(view_set) : 0);
        if
        :: true
        :: view_set != NONE -> view_v = view_set
        :: view_set != NONE -> view_v = (view_set == A -> A_SAYS_B : B_SAYS_A)
        fi
    fi
}

/* Rule 1. `winner` is final, `best` the set in the view of one that voted for it: its record must follow
 * from that very set. */
#define for_record(r, says) (voters_frozen(r) + (has(in_v, r) || has(in_v, says)))
#define voters_frozen(r) ((is_frozen(0) && vote[0] == (r)) + (is_frozen(1) && vote[1] == (r)) + \
    (H > 2 && is_frozen(H - 1) && vote[H - 1] == (r)))
#define shown(r) (has(in_own, r) || (view_v == (r) && view_set == (r)))
inline rule_1() {
    for_a = for_record(A, B_SAYS_A);
    for_b = for_record(B, A_SAYS_B);
    if
#ifdef NO_RULE_1
    :: true
#else
    :: majority(for_a) && shown(A) -> winner = A; best = A
    :: majority(for_b) && shown(B) -> winner = B; best = B
#ifdef ANY_SET
    :: majority(for_a) && view_v == B_SAYS_A && view_set == B -> winner = A; best = B
    :: majority(for_b) && view_v == A_SAYS_B && view_set == A -> winner = B; best = A
#endif
    :: !(majority(for_a) && shown(A)) && !(majority(for_b) && shown(B))
#endif
    fi
}

/* Rules 2 and 3: whom signed messages convict, and whose view there is not. */
inline evident() {
    absent = ALL & ~frozen;
    byzantine_absent = view == 0;
    byzantine_found = view == 2 || in_twice || many(in_p) || many(in_v);
    if
    :: best == NONE -> byzantine_found = byzantine_found || has(in_p, FALSE_SET)
#ifdef RULE3_ALWAYS
    :: best != NONE ->
#else
    :: best != NONE && (in_twice || many(in_p))
    :: best != NONE && !in_twice && !many(in_p) ->
#endif
        byzantine_found = byzantine_found || has(in_v, FALSE_VOTE) || has(in_v, 3 - best) ||
            has(in_v, (best == A -> B_SAYS_A : A_SAYS_B));
        for (k : 0 .. H - 1) { found = found | (is_frozen(k) && vote[k] == 3 - best -> bit(k) : 0) }
    fi
}

/* Rule 4: whether some record can still get a majority. */
#define can_be_final (2 * ((for_a > for_b -> for_a : for_b) + size(missing) + byzantine_missing) > N)
#define resumed (best == NONE -> disputes_none : disputes_p)
#ifdef NO_SECOND_CHANCE
#define lenient false
#else
#define lenient (!resumed)
#endif
#ifdef NO_RULE_6
#define waits true
#else
#define waits (!most_besides(size(missing) + byzantine_missing))
#endif

inline remove() {                       /* Each endorses the removal, and waits for a majority. */
    printf("the dispute removes honest seats %d (a mask), the Byzantine one: %d\n", found, byzantine_found);
    for (k : 0 .. H - 1) { endorsing = endorsing | (is_frozen(k) && !has_ended(k) -> bit(k) : 0) }
}

/* All take the agreed messages, and leave the dispute with new deadlines. */
inline go_on() {
    printf("all go on with set %d (0: none yet)\n", best);
    if
    :: best != NONE ->
        for (k : 0 .. H - 1) { set[k] = (is_frozen(k) -> best : set[k]) }
        values = values | bit(best);
        slot_p = best;
        slot_v = (in_v == 0 -> NONE : (has(in_v, A) -> A : (has(in_v, B) -> B :
            (has(in_v, A_SAYS_B) -> A_SAYS_B : (has(in_v, B_SAYS_A) -> B_SAYS_A : FALSE_VOTE)))))
    :: else ->
        slot_p = (has(in_p, A) -> A : (has(in_p, B) -> B : NONE));
        values = values | (slot_p -> bit(slot_p) : 0);
        for (k : 0 .. H - 1) { set[k] = (is_frozen(k) && !missing -> slot_p : set[k]) }
    fi
}

inline decide() {
    byzantine_view();
    all_views();
    rule_1();
    printf("views: Byzantine %d (0: none, 1, 2: two), record by votes %d (0: none)\n", view, winner);
    if
    :: winner != NONE ->
        assert(winner == best);         /* All make the record of the set that they take. */
        for (k : 0 .. H - 1) {
            if
            :: is_frozen(k) && !has_ended(k) -> end(k, winner)
            :: else
            fi
        }
    :: else ->
        if
        :: has(in_sets, A) -> best = A
        :: has(in_sets, B) -> best = B
        :: !in_sets
        fi;
        evident();
        assert(!found);                 /* No honest peer is banned: claim B. */
        missing = (best == NONE -> frozen & ~spoke : frozen & ~((vote[0] != NONE) | (vote[1] != NONE) << 1 |
            (H > 2 && vote[H - 1] != NONE) << (H - 1)));
        byzantine_missing = (best == NONE -> !in_p : !in_v);
        if
        :: most_besides(size(absent) + (byzantine_absent || byzantine_found)) ->
            byzantine_found = byzantine_found || byzantine_absent;
            found = absent
        :: else
        fi;
#ifdef MISSING_AT_ONCE
        if
        :: byzantine_found -> found = found | missing
        :: else
        fi;
#endif
        if
        :: found || byzantine_found -> remove()
        :: else ->
            /* Rule 4: nobody is halted. */
            assert(best == NONE || can_be_final);
            if
            :: (!missing && !byzantine_missing) || lenient || waits -> go_on()
            :: else -> found = missing; remove()                    /* Rule 6 */
            fi
        fi;
        assert(SLOW || !found);         /* A prompt honest peer is not removed. */
        disputes_none = (best == NONE && disputes_none < 2 + !SLOW -> disputes_none + 1 : disputes_none);
        disputes_p = (best != NONE && disputes_p < 2 + !SLOW -> disputes_p + 1 : disputes_p);
        assert(SLOW || (disputes_none <= 2 && disputes_p <= 2))    /* claim D */
    fi;
    frozen = 0; in_p = 0; in_v = 0; in_twice = false; in_sets = 0; in_own = 0;
    view = 0; view_set = 0; view_v = 0; best = 0; winner = 0; found = 0; absent = 0; missing = 0;
    byzantine_absent = false; byzantine_found = false; byzantine_missing = false; for_a = 0; for_b = 0
}

/* ---------------------------------------------------------------- what may happen next */

/* f + 1 calls are there: an honest deadline has passed. T2 holds once all were resumed at this p. */
#ifdef NO_CALLS
#define in_time false
#else
#define in_time (SLOW || (any(has_set) -> !disputes_p || all(has_voted) : !disputes_none || all(has_spoken)))
#endif

#define then(what) -> atomic { what; k = 0; x = 0; how = 0 }
/* What one honest peer holds, it sends to those that lack it (Repair). */
#define is_withheld(what) (silent && set[0] != (what) && set[1] != (what) && set[H - 1] != (what))
#define COMPLETE_P(p, what) \
    :: works(p) && spoke == ALL && !has_set(p) && (what != B || has(values, A)) && \
        (slot_p == what || slot_p == NONE && !is_withheld(what)) then(complete_p(p, what))
#define COMPLETE_V(p, what) \
    :: works(p) && all(has_voted) && (slot_v == what || slot_v == NONE && !silent) then(complete_v(p, what))
#define PEER(p) \
    :: works(p) && !has_spoken(p) then(speak(p)) \
    COMPLETE_P(p, A) COMPLETE_P(p, B) COMPLETE_P(p, FALSE_SET) \
    :: works(p) && has_set(p) && !has_voted(p) then(cast(p)) \
    COMPLETE_V(p, A) COMPLETE_V(p, B) \
    COMPLETE_V(p, A_SAYS_B) COMPLETE_V(p, B_SAYS_A) COMPLETE_V(p, FALSE_VOTE) \
    :: works(p) && !frozen && in_time then(freeze(p))           /* on calls */ \
    :: works(p) && !silent then(in_twice = true; freeze(p))                /* on two messages of one slot */ \
    :: works(p) && frozen then(freeze(p))                       /* lemma 1 */ \
    :: has(endorsing, p) && !has_ended(p) && majority(size(endorsing) + !silent) then(end(p, ABORT)) \
    LATE(p)
/* n votes end the attempt, while the peer works, in a dispute, and while it endorses. A peer that has
 * ended answers with its certificate. */
#ifdef NO_ANSWER
#define may_decide true
#define LATE(p) :: !has_ended(p) && voted_alike && vote[p] == set[p] && !silent then(end(p, vote[p]))
#else
#define may_decide (!any(away))
#define LATE(p) \
    :: !has_ended(p) && voted_alike && vote[p] == set[p] && !silent then(end(p, vote[p])) \
    :: !has_ended(p) && any(has_ended) then(others_end(); end(p, how))
#endif

active proctype world() {
    do
    :: all(has_ended) -> break
    :: !silent then(silent = true)
    :: !all(has_ended) && frozen && all(settled) && may_decide then(decide())
    EACH
    od;
    assert(ended[0] == ended[1] && ended[0] == ended[H - 1])
}
