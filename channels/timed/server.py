"""The server of the timed link: one sender that sends a block at a time.

A SimPy process for each user's arrivals and one for the server. A transmission takes its channel
uses over the bandwidth; the Es/N0 of the user's trace is averaged over it as mutual information;
a uniform number against the block error rate decides. The feedback comes later and may be misread.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import Any

import simpy

from channels.coding.segmentation import num_channel_uses
from channels.errors import ChannelError
from channels.rng import generator
from channels.timed import report as fates
from channels.timed.adaptation import RateAdapter, SchemeTable
from channels.timed.packets import Block, Packet
from channels.timed.queues import DISCIPLINES, UserQueues
from channels.timed.radio import listen, loss_probability, mean_esno_db
from channels.timed.report import Recorder, TimedReport
from channels.timed.schedulers import SCHEDULERS
from channels.timed.sources import Uniforms
from channels.timed.types import BlockErrorRate, LinkConfig, TrafficClass, User
from channels.units import db_to_lin

_ROUNDING = 1e-9


class _Receiver:
    """One user as the sender sees it."""

    def __init__(self, index: int, user: User, link: Server, table: SchemeTable, seed: int) -> None:
        self.index, self.user, self._env = index, user, link.env
        self.adapter = RateAdapter(link.config.adaptation, table, user.trace)
        discipline = DISCIPLINES[link.config.queueing]()
        self.queues = UserQueues(link.classes, discipline, link.config.max_queue)
        self.free_processes = link.config.num_processes
        self.block_errors = Uniforms(generator(seed, "blocks", index))
        self.feedback_errors = Uniforms(generator(seed, "feedback", index))

    def rate(self) -> float:
        """See `channels.timed.schedulers.Candidate`."""
        return self.adapter.rate(self._env.now)


class Server:
    """The sender, its queues and its clock; `run` once."""

    def __init__(
        self,
        config: LinkConfig,
        classes: Sequence[TrafficClass],
        users: Sequence[User],
        bler: BlockErrorRate,
        duration_s: float,
        seed: int,
    ) -> None:
        self.env = simpy.Environment()
        self.config, self.classes, self._bler = config, tuple(classes), bler
        self._duration_s = duration_s
        self._kinds = {kind.tag: i for i, kind in enumerate(classes)}
        table = SchemeTable(config.adaptation, bler)
        self._receivers = [_Receiver(i, u, self, table, seed) for i, u in enumerate(users)]
        self._scheduler = SCHEDULERS[config.scheduling](len(users))
        self._recorder = Recorder()
        self._num_packets = 0
        self._busy_s = 0.0
        self._on_air: Packet | None = None
        self._current: Packet | None = None  # the same, while it may be suspended
        self._urgent: _Receiver | None = None  # whose packet suspended it
        self._idle: simpy.Event | None = None
        self._server: simpy.Process

    def run(self) -> TimedReport:
        """Runs until nothing is left to send."""
        for receiver in self._receivers:
            self.env.process(self._feed(receiver))
        self._server = self.env.process(self._serve())
        self.env.run()
        return self._recorder.report(
            [kind.tag for kind in self.classes],
            len(self._receivers),
            self._duration_s,
            self._busy_s,
        )

    # Arrivals

    def _feed(self, receiver: _Receiver) -> Generator[simpy.Event, Any, None]:
        for frame, arrival in enumerate(receiver.user.arrivals):
            wait_s = arrival.time_s - self.env.now
            if not wait_s >= -_ROUNDING:
                raise ChannelError(
                    f"user {receiver.index}, frame {frame} arrives at {arrival.time_s} s, after "
                    f"{self.env.now} s; expected times in ascending order"
                )
            if arrival.time_s >= self._duration_s:
                return
            if wait_s > 0:
                yield self.env.timeout(wait_s)
            for tag, bits in arrival.bits.items():
                self._arrive(receiver, frame, tag, bits)

    def _arrive(self, receiver: _Receiver, frame: int, tag: str, bits: int) -> None:
        kind_index = self._kinds.get(tag)
        if kind_index is None or bits < 1:
            raise ChannelError(
                f"user {receiver.index}, frame {frame} has {bits} bits of {tag!r}; expected 1 or "
                f"more of a class among {', '.join(self._kinds)}"
            )
        kind = self.classes[kind_index]
        packet = Packet(
            self._num_packets, receiver.index, frame, kind_index, kind, int(bits),
            self.env.now, self.config.max_block_bits,
        )  # fmt: skip
        self._num_packets += 1
        if kind.encode_s > 0:
            encoded = self.env.timeout(kind.encode_s)
            encoded.callbacks.append(lambda _: self._enqueue(receiver, packet))
        else:
            self._enqueue(receiver, packet)

    def _enqueue(self, receiver: _Receiver, packet: Packet) -> None:
        queues = receiver.queues
        if not queues.accepts(packet.kind_index):
            self._drop_expired(receiver, packet.kind_index)
        if not queues.accepts(packet.kind_index):
            packet.fate = fates.QUEUE_FULL
            self._record(packet)
            return
        queues.add(packet)
        current = self._current
        if self.config.preemption and current is not None:
            same = current.user == packet.user or self._scheduler.crosses_users
            if same and queues.discipline.preempts(packet, current):
                self._urgent, self._current = receiver, None
                self._server.interrupt()
        self._wake()

    def _wake(self) -> None:
        if self._idle is not None:
            self._idle.succeed()
            self._idle = None

    # Choice

    def _choose(self) -> tuple[_Receiver, Packet] | None:
        """Who is served next, and with which packet."""
        urgent, self._urgent = self._urgent, None
        if urgent is not None:
            packet = self._head(urgent)
            if packet is not None:
                return urgent, packet
        candidates = []
        for receiver in self._receivers:
            packet = self._head(receiver)
            if packet is not None:
                candidates.append((receiver, packet))
        return candidates[self._scheduler.choose(candidates)] if candidates else None

    def _head(self, receiver: _Receiver) -> Packet | None:
        """The packet of a user that goes first, after those that are past hope are dropped."""
        for kind_index in range(len(self.classes)):  # first, since this frees soft buffers
            self._drop_expired(receiver, kind_index)
        best, best_key = None, None
        for kind_index in range(len(self.classes)):
            packet = receiver.queues.first_of(kind_index)
            if packet is None or not (packet.again or receiver.free_processes):
                continue
            key = receiver.queues.discipline.key(packet)
            if best_key is None or key < best_key:
                best, best_key = packet, key
        return best

    def _drop_expired(self, receiver: _Receiver, kind_index: int) -> None:
        while True:
            packet = receiver.queues.first_of(kind_index)
            if packet is None or packet.deadline_s > self.env.now:
                return
            receiver.queues.remove_first(kind_index)
            self._give_up(receiver, packet, fates.DEADLINE)

    def _take_block(self, receiver: _Receiver, packet: Packet) -> Block:
        receiver.queues.discipline.taken(packet)
        if packet.again:
            block = packet.again.popleft()
        else:
            bits, kind = packet.next_block_bits(), packet.kind
            mcs = kind.mcs
            if mcs is None:
                margin_db = kind.margin_db - kind.power_db
                mcs = receiver.adapter.choose(bits, self.env.now, margin_db)
            block = Block(packet, bits, mcs, num_channel_uses(bits, mcs))
            packet.next_block += 1
            receiver.free_processes -= 1
        if not packet.is_ready:
            receiver.queues.remove_first(packet.kind_index)
        return block

    # Service

    def _serve(self) -> Generator[simpy.Event, Any, None]:
        while True:
            choice = self._choose()
            if choice is None:
                self._idle = self.env.event()
                yield self._idle
                continue
            receiver, packet = choice
            block = self._take_block(receiver, packet)
            yield from self._send(receiver, block)

    def _send(self, receiver: _Receiver, block: Block) -> Generator[simpy.Event, Any, None]:
        """Sends a block, or what is left of it, until it is complete or suspended."""
        packet, bandwidth_hz = block.packet, self.config.bandwidth_hz
        start_s = self.env.now
        if block.left_uses <= 0:
            block.left_uses = block.uses
            block.attempts += 1
            packet.attempts += 1
            if math.isnan(packet.start_s):
                packet.start_s = start_s
        left_s = block.left_uses / bandwidth_hz
        self._current = self._on_air = packet
        try:
            yield self.env.timeout(left_s)
        except simpy.Interrupt:
            slots = math.ceil((self.env.now - start_s) / self.config.slot_s - _ROUNDING)
            sent_s = slots * self.config.slot_s
            if sent_s * (1 + _ROUNDING) < left_s:
                yield self.env.timeout(max(start_s + sent_s - self.env.now, 0.0))
                self._account(receiver, block, start_s, sent_s)
                self._suspend(receiver, block)
                return
            yield self.env.timeout(max(start_s + left_s - self.env.now, 0.0))
        self._current = None
        self._account(receiver, block, start_s, left_s)
        block.left_uses = 0.0
        self._complete(receiver, block)

    def _account(self, receiver: _Receiver, block: Block, start_s: float, sent_s: float) -> None:
        packet, uses = block.packet, sent_s * self.config.bandwidth_hz
        block.left_uses -= uses
        packet.uses += uses
        self._on_air = None
        if packet.fate is not None:  # closed while it was on the air
            self._record(packet)
        inside_s = min(start_s + sent_s, self._duration_s) - start_s
        self._busy_s += max(inside_s, 0.0)
        num_bits = block.num_bits * uses / block.uses
        self._scheduler.served(receiver.index, num_bits, self.env.now)
        listen(block, receiver.user.trace, start_s, sent_s, self.config.slot_s)

    def _suspend(self, receiver: _Receiver, block: Block) -> None:
        packet = block.packet
        if packet.fate is not None:  # another of its blocks was lost for good meanwhile
            self._release(receiver, block)
            return
        packet.again.appendleft(block)
        receiver.queues.put_back(packet)

    def _complete(self, receiver: _Receiver, block: Block) -> None:
        """The receiver has heard a whole transmission."""
        packet = block.packet
        block.esnos_db.append(mean_esno_db(block))
        block.heard.clear()
        if not block.received:
            lost = loss_probability(block, self.config.harq, self._bler)
            block.received = receiver.block_errors() >= lost
            if block.received:
                packet.missing -= 1
                if packet.missing == 0:
                    packet.done_s = self.env.now + packet.kind.decode_s
        delay_s = self.config.feedback.delay_s
        if delay_s > 0:
            heard = self.env.timeout(delay_s)
            heard.callbacks.append(lambda _: self._hear_feedback(receiver, block))
        else:
            self._hear_feedback(receiver, block)

    # Feedback

    def _hear_feedback(self, receiver: _Receiver, block: Block) -> None:
        packet, feedback = block.packet, self.config.feedback
        misread = feedback.ack_to_nack if block.received else feedback.nack_to_ack
        is_ack = block.received
        if misread > 0:
            is_ack ^= receiver.feedback_errors() < misread
        if block.attempts == 1 and packet.kind.mcs is None:
            receiver.adapter.acknowledged(is_ack)
        is_last = block.attempts >= packet.kind.max_transmissions
        if packet.fate is not None or is_ack or is_last:
            self._release(receiver, block)
        if packet.fate is None:
            if not is_ack and not is_last:
                packet.again.appendleft(block)
                receiver.queues.put_back(packet)
            elif not block.received:
                lost = fates.FEEDBACK_ERROR if is_ack else fates.MAX_TRANSMISSIONS
                self._abandon(receiver, packet, lost)
            else:
                packet.open -= 1
                if packet.open == 0:
                    self._close(receiver, packet, fates.DELIVERED)
        self._wake()

    def _release(self, receiver: _Receiver, block: Block) -> None:
        """Empties the soft buffer of a block that is not sent again."""
        block.esnos_db.clear()
        block.heard.clear()
        receiver.free_processes += 1

    def _abandon(self, receiver: _Receiver, packet: Packet, fate: int) -> None:
        """Gives up a packet wherever it stands."""
        if packet.is_queued:
            receiver.queues.take_out(packet)
        self._give_up(receiver, packet, fate)

    def _give_up(self, receiver: _Receiver, packet: Packet, fate: int) -> None:
        """Gives up a packet that is not queued; what is under way of it ends by itself."""
        while packet.again:
            self._release(receiver, packet.again.pop())
        self._close(receiver, packet, fate)

    def _close(self, receiver: _Receiver, packet: Packet, fate: int) -> None:
        if packet.missing == 0:  # whatever the sender believes
            fate = fates.DELIVERED if packet.done_s <= packet.deadline_s else fates.LATE
        else:
            packet.done_s = math.nan
        packet.fate = fate
        receiver.queues.closed(packet)
        if packet is not self._on_air:  # or else its channel uses are not known yet
            self._record(packet)

    def _record(self, packet: Packet) -> None:
        airtime_s = packet.uses / self.config.bandwidth_hz
        power_w = self.config.power_w * db_to_lin(packet.kind.power_db)
        self._recorder.add(packet, power_w * airtime_s)
