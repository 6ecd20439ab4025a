//! ClientHellos that reach us as a server: chooses the version, and starts a handshake with one that has
//! our cookie.
//!
//! | setting | ClientHello without a cookie | answer |
//! |---|---|---|
//! | 1.2 | any | HelloVerifyRequest |
//! | 1.3 | accepts our HelloRetryRequest | HelloRetryRequest |
//! | auto | accepts it, and lists AES-GCM first | HelloRetryRequest |
//! | auto | any other, or of libwebrtc | HelloVerifyRequest |
//!
//! An attacker can forge the peer's address, but not its ICE checks, by which libwebrtc is known. In doubt
//! the answer is HelloVerifyRequest, because a client that offers 1.3 also accepts that: when only a part
//! of a ClientHello arrives, and once a HelloVerifyRequest is on its way.

use std::time::Duration;

use watersmeet_wire::client_hello::{ClientHello, HelloFragment, write_client_hello};
use watersmeet_wire::units::Time;

use super::certificate::DtlsVersion;
use super::cookie::{COOKIE_DELAY, CookieOffer, HelloAnswer};
use super::endpoint::Endpoint;
use super::pending::PendingDatagrams;
use super::record::Hello;
use super::{DtlsError, DtlsSession, State};

/// Time for the rest of a ClientHello to arrive, before it is answered with a HelloVerifyRequest. Browsers
/// repeat theirs after 50 ms.
const HELLO_REST_WAIT: Duration = Duration::from_millis(100);

impl DtlsSession {
    /// Handles a ClientHello, or a fragment of one.
    ///
    /// # Errors
    /// Returns the reason the datagram is discarded.
    pub(super) fn handle_hello(
        &mut self,
        now: Time,
        hello: &Hello<'_>,
        packet: &[u8],
    ) -> Result<(), DtlsError> {
        let is_first = hello.fragment.seq == 0;
        match &self.state {
            State::New { .. } if is_first => {}
            State::New { .. } => return Ok(()),
            State::Connecting(handshake) if handshake.requires_cookie => {}
            State::Connecting(_) | State::Verified(_) => return Err(DtlsError::Malformed),
            State::Failed | State::Closed => return Err(DtlsError::NotReady),
        }
        if is_first {
            self.handle_first_hello(now, &hello.fragment)
        } else {
            self.handle_hello_with_cookie(now, hello, packet)
        }
    }

    /// Returns when to offer a cookie for 1.2, if nothing decides before.
    pub(super) fn first_offer_due(&self, now: Time) -> Time {
        if self.expects_1_2 {
            now + COOKIE_DELAY
        } else if self.version == DtlsVersion::Auto && !self.hellos.is_empty() {
            now + HELLO_REST_WAIT
        } else {
            Time::FAR_FUTURE
        }
    }

    /// Answers a ClientHello, now or when the handshake starts.
    fn handle_first_hello(
        &mut self,
        now: Time,
        fragment: &HelloFragment<'_>,
    ) -> Result<(), DtlsError> {
        let chosen = self.choose_answer(fragment)?;
        match (&mut self.state, chosen) {
            (State::New { answer, .. }, Some(chosen))
                if *answer != Some(HelloAnswer::HelloVerify) =>
            {
                *answer = Some(chosen);
            }
            (State::Connecting(_), Some(chosen)) => self.send_answer(now, chosen),
            (State::Connecting(handshake), None) if self.version == DtlsVersion::Auto => {
                handshake.offer_due = handshake.offer_due.min(now + HELLO_REST_WAIT);
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns the answer to a ClientHello without a cookie, once enough of it is known.
    fn choose_answer(
        &mut self,
        fragment: &HelloFragment<'_>,
    ) -> Result<Option<HelloAnswer>, DtlsError> {
        if self.expects_1_2 {
            return Ok((fragment.offset == 0).then_some(HelloAnswer::HelloVerify));
        }
        let Some(body) = self.hellos.add(fragment) else {
            return Ok(None);
        };
        let hello = ClientHello::parse(&body);
        let can_retry = hello.filter(ClientHello::accepts_hello_retry);
        match (self.version, can_retry) {
            (DtlsVersion::V13, Some(_)) => Ok(Some(HelloAnswer::HelloRetry)),
            (DtlsVersion::V13, None) => Err(DtlsError::Malformed),
            (_, Some(hello)) if hello.prefers_aes_gcm() => Ok(Some(HelloAnswer::HelloRetry)),
            _ => Ok(Some(HelloAnswer::HelloVerify)),
        }
    }

    /// Sends a cookie, in answer to a ClientHello without one or before it.
    pub(super) fn send_answer(&mut self, now: Time, answer: HelloAnswer) {
        let at = self.instant(now);
        let State::Connecting(handshake) = &mut self.state else {
            return;
        };
        handshake.offer_due = Time::FAR_FUTURE;
        handshake.offer.take_if(|offer| offer.is_expired(now));
        let mut offer = match handshake.offer.take() {
            Some(offer) => offer,
            None => match CookieOffer::new(&self.certificate, now, at) {
                Ok(offer) => Box::new(offer),
                Err(error) => {
                    tracing::debug!(?error, "DTLS cookie cannot be made");
                    return;
                }
            },
        };
        let datagram = match answer {
            HelloAnswer::HelloRetry if !offer.is_for_1_2() => offer.hello_retry(),
            HelloAnswer::HelloRetry | HelloAnswer::HelloVerify => offer.hello_verify(),
        };
        handshake.offer = Some(offer);
        self.queue_outgoing(vec![datagram]);
    }

    /// Starts a handshake, or passes a repetition to the one that runs.
    fn handle_hello_with_cookie(
        &mut self,
        now: Time,
        hello: &Hello<'_>,
        packet: &[u8],
    ) -> Result<(), DtlsError> {
        let State::Connecting(handshake) = &mut self.state else {
            return Err(DtlsError::NotReady);
        };
        if let Some(offer) = handshake.offer.take_if(|offer| offer.accepts(hello)) {
            let cookie = offer.cookie();
            handshake.accept_cookie(offer.into_endpoint(), cookie, false);
            self.start_with(packet);
            return Ok(());
        }
        let accepted = handshake.accepted_cookie.as_ref();
        let is_accepted = accepted.is_some_and(|cookie| {
            let continues_hello = !hello.is_start() && !handshake.has_sent_flight;
            continues_hello || hello.has_cookie(cookie)
        });
        if !handshake.speaks_1_3 && is_accepted && hello.fragment.seq == 1 {
            return self.pending.push(packet).ok_or(DtlsError::NotReady);
        }
        if self.expects_1_2 {
            return Err(DtlsError::Malformed);
        }
        self.handle_retried_hello(now, &hello.fragment)
    }

    /// Starts a handshake of 1.3 with a complete ClientHello that has our cookie.
    fn handle_retried_hello(
        &mut self,
        now: Time,
        fragment: &HelloFragment<'_>,
    ) -> Result<(), DtlsError> {
        let at = self.instant(now);
        let Some(body) = self.hellos.add(fragment) else {
            return Ok(());
        };
        let State::Connecting(handshake) = &mut self.state else {
            return Err(DtlsError::NotReady);
        };
        let returned = ClientHello::parse(&body).and_then(|hello| hello.retry_cookie());
        let returned = returned.ok_or(DtlsError::Malformed)?;
        let accepted = handshake.accepted_cookie.as_ref();
        if accepted.is_some_and(|cookie| cookie == returned) {
            // A repetition. The endpoint repeats its flight by timer.
            return Ok(());
        }
        let is_offered = |offer: &CookieOffer| offer.cookie() == returned;
        let offer = handshake.offer.take_if(|offer| is_offered(offer));
        let cookie = offer.ok_or(DtlsError::Malformed)?.cookie();
        let endpoint = Endpoint::after_hello_retry(&self.certificate, cookie, &body, at);
        let endpoint = endpoint.map_err(|error| {
            tracing::debug!(?error, "DTLS ClientHello is not acceptable");
            DtlsError::Malformed
        })?;
        handshake.accept_cookie(endpoint, cookie, true);
        self.start_with(&write_client_hello(fragment.seq, &body));
        Ok(())
    }

    /// Starts the endpoint whose cookie has returned with the ClientHello that has it.
    fn start_with(&mut self, hello: &[u8]) {
        self.has_returned_cookie = true;
        self.endpoint_timeout = Time::FAR_FUTURE;
        self.pending = PendingDatagrams::default();
        self.outgoing.clear();
        // An empty queue has room for any datagram.
        _ = self.pending.push(hello);
    }
}
