//! The operator's requests to the management API.

use std::path::Path;
use std::time::{Duration, Instant};

use manager::auth::first_password;
use manager::layout::Layout;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use wire::EnrolmentFile;

use crate::Failure;
use crate::connection::address_of;
use crate::machine::{BenchMachine, PEOPLE};

/// How long a request may take.
const LONGEST: Duration = Duration::from_secs(60);

/// A tool that is logged in.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    client: Client,
    base: String,
    password: String,
}

impl Operator {
    /// Logs in with the first password.
    pub(crate) fn new(machine: &BenchMachine) -> Result<Self, Failure> {
        let state = Layout::new(machine.root()).state();
        let authority = reqwest::Certificate::from_pem(&std::fs::read(state.join("authority.pem"))?)?;
        let client = Client::builder().tls_certs_only([authority]).timeout(LONGEST).build()?;
        let password = std::fs::read_to_string(first_password::file(&state))?.trim().to_string();
        Ok(Self { client, base: format!("https://{}:{PEOPLE}/api/admin", machine.address), password })
    }

    /// Gets an object or a list, and how long that took.
    pub(crate) async fn get(&self, path: &str) -> Result<(Value, Duration), Failure> {
        let began = Instant::now();
        let text = self.send(self.client.get(format!("{}{path}", self.base))).await?;
        Ok((serde_json::from_str(&text)?, began.elapsed()))
    }

    async fn post(&self, path: &str, body: &Value) -> Result<String, Failure> {
        self.send(self.client.post(format!("{}{path}", self.base)).json(body)).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<String, Failure> {
        let answer = request.basic_auth("admin", Some(&self.password)).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if status.is_success() { Ok(text) } else { Err(format!("{status}: {text}").into()) }
    }

    /// Adds the system location of all nodes.
    pub(crate) async fn add_location(&self) -> Result<(), Failure> {
        self.post("/configuration/v1/system_location/", &json!({"name": "Oslo"})).await.map(drop)
    }

    /// Adds a node; returns its enrolment file, and how long that took.
    pub(crate) async fn add_node(&self, number: u32) -> Result<(EnrolmentFile, Duration), Failure> {
        let [_, _, high, low] = number.to_be_bytes();
        let body = json!({
            "name": format!("node{number}"), "hostname": format!("node{number}"), "domain": "example.com",
            "address": format!("10.1.{high}.{low}"), "netmask": "255.0.0.0", "gateway": "10.0.0.1",
            "description": format!("a light node at {}", address_of(number)),
            "system_location": "/api/admin/configuration/v1/system_location/1/",
        });
        let began = Instant::now();
        let file = self.post("/configuration/v1/worker_vm/", &body).await?;
        let took = began.elapsed();
        Ok((EnrolmentFile::parse(&file)?, took))
    }

    /// Uploads a package.
    pub(crate) async fn upload(&self, package: &Path) -> Result<(), Failure> {
        let bytes = std::fs::read(package)?;
        let asked = json!({"request": true, "total_size": bytes.len()});
        let asked: Value = serde_json::from_str(&self.post("/configuration/v1/upgrade/", &asked).await?)?;
        let upload = asked["upload_id"].as_str().ok_or("no upload")?;
        let path = format!("/configuration/v1/upgrade_request/{upload}/");
        let part = self.client.post(format!("{}{path}upload/", self.base)).header("Upload-Offset", 0);
        self.send(part.body(bytes)).await?;
        self.post(&format!("{path}finish/"), &json!({"validate_only": true})).await.map(drop)
    }

    /// Starts a run with the package that was uploaded, with so many nodes at once.
    pub(crate) async fn start_run(&self, at_once: u32) -> Result<(), Failure> {
        let policy = json!({"nodes_at_once": at_once, "first_nodes": 0});
        self.post("/command/v1/platform/upgrade_start/", &json!({"policy": policy})).await.map(drop)
    }
}
