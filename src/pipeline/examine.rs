//! The CPU stage: octets in, a checked document or a refusal out. Pure: rules, schemas, anchors and the site's facts are given once.
//! The gateway, `arkki validate` and the demo call the same functions, so they give the same verdict.

use std::sync::Arc;

use super::lanes::Touches;
use crate::cda::body::Body;
use crate::cda::open::{self, Opened};
use crate::cda::seal::SealPoint;
use crate::cda::verify::{self, SignerRule};
use crate::cda::{body, header};
use crate::codes::catalogue::Catalogue;
use crate::codes::rule_set::RuleSet;
use crate::codes::source::Files;
use crate::config::checked::{Config, Environment};
use crate::crypto;
use crate::crypto::trust::TrustAnchors;
use crate::domain::ack::{InstanceId, Target};
use crate::domain::code::Code;
use crate::domain::digest::Digest;
use crate::domain::document::Header;
use crate::domain::finding::{Finding, Place};
use crate::domain::language::Language;
use crate::domain::limits;
use crate::domain::message::{Envelope, MessageKey, Sender};
use crate::domain::oid::Oid;
use crate::domain::refusal::Refusal;
use crate::domain::time::Moment;
use crate::rules::decide::Request;
use crate::v3::frame::{Frame, FrameHead, FrameSite};
use crate::xml::prepass::{self, Encoding};
use crate::xml::schema::Schema;
use crate::xml::tree;

/// What the site says of itself.
pub struct Site {
    /// Test or production.
    pub environment: Environment,
    /// Whom a frame may be addressed to.
    pub frames: FrameSite,
    /// The largest message and the largest document, in octets.
    pub octets: (usize, usize),
    /// Trust anchors.
    pub anchors: TrustAnchors,
    /// The site's key for client ids.
    pub site_key: Vec<u8>,
    /// Organisations whose system certificates may sign beside the controller.
    pub signers: Vec<Oid>,
    /// Language of answers.
    pub language: Language,
    /// Code system of our codes in answers.
    pub code_system: Oid,
    /// Root of answers' ids.
    pub id_root: Oid,
    /// Our device.
    pub device: Oid,
    /// The receiver of answers to bare documents.
    pub receiver: Oid,
}
