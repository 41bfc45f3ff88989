// The JDK's XML Signature as a judge and as a signer: one run answers a whole list of questions, one a line, fields between tabs.
//
//   V <document> <anchor.pem>                      are all signatures in it valid?      answers: V <document> VALID|FAIL <why>
//   D <signature> <document> <anchor.pem>          is the signature beside it valid?    answers: D <signature> VALID|FAIL <why>
//   S <in> <out> <key.pem> <certificate.pem> <ID of hl7fi:signature> <prefix or -> <body ID> <body transforms> <timestamp ID> <timestamp transforms> <order>
//                                                  signs and writes; transforms are e (exclusive) or v (enveloped, exclusive); order is b or t: which comes first
//
// Core validation is the JDK's own, with its secure validation on. Besides it the certificate must be issued by the anchor and be valid on 22 November 2026.

import java.io.*;
import java.nio.file.*;
import java.security.*;
import java.security.cert.*;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;
import javax.xml.crypto.*;
import javax.xml.crypto.dsig.*;
import javax.xml.crypto.dsig.dom.*;
import javax.xml.crypto.dsig.keyinfo.*;
import javax.xml.crypto.dsig.spec.*;
import javax.xml.parsers.*;
import javax.xml.transform.*;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.*;

public final class Judge {
    private static final String EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#";
    private static final Date AT = Date.from(java.time.Instant.parse("2026-11-22T12:00:00Z"));
    private static final XMLSignatureFactory FACTORY = XMLSignatureFactory.getInstance("DOM");

    public static void main(String[] arguments) throws Exception {
        StringBuilder answers = new StringBuilder();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] f = line.split("\t");
            switch (f[0]) {
                case "V" -> answers.append("V\t").append(f[1]).append('\t').append(verdict(() -> all(f[1], f[2]))).append('\n');
                case "D" -> answers.append("D\t").append(f[1]).append('\t').append(verdict(() -> beside(f[1], f[2], f[3]))).append('\n');
                case "S" -> sign(f);
                default -> throw new IllegalArgumentException(line);
            }
        }
        System.out.print(answers);
    }

    private interface Question { void ask() throws Exception; }

    private static String verdict(Question question) {
        try {
            question.ask();
            return "VALID\t";
        } catch (Exception e) {
            return "FAIL\t" + (e.getClass().getSimpleName() + ": " + e.getMessage()).replaceAll("\\s+", " ");
        }
    }

    /** Every signature of the document. */
    private static void all(String path, String anchor) throws Exception {
        Document document = parse(path);
        register(document);
        NodeList signatures = document.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature");
        if (signatures.getLength() == 0) throw new Exception("no signature");
        for (int i = 0; i < signatures.getLength(); i++) {
            validate(new DOMValidateContext(new Chained(anchor), signatures.item(i)));
        }
    }

    /** The signature beside a document: whatever relative name it refers to is that document. */
    private static void beside(String signature, String path, String anchor) throws Exception {
        Document document = parse(signature);
        register(document);
        DOMValidateContext context = new DOMValidateContext(new Chained(anchor), document.getDocumentElement());
        URIDereferencer own = FACTORY.getURIDereferencer();
        context.setURIDereferencer((reference, in) -> {
            if (reference.getURI().startsWith("#")) return own.dereference(reference, in);
            try {
                return new OctetStreamData(new ByteArrayInputStream(Files.readAllBytes(Path.of(path))));
            } catch (IOException e) {
                throw new URIReferenceException(e);
            }
        });
        validate(context);
    }

    private static void validate(DOMValidateContext context) throws Exception {
        XMLSignature signature = FACTORY.unmarshalXMLSignature(context);
        if (!signature.getSignatureValue().validate(context)) throw new Exception("value");
        for (Object reference : signature.getSignedInfo().getReferences()) {
            if (!((Reference) reference).validate(context)) throw new Exception("reference " + ((Reference) reference).getURI());
        }
    }

    private static void sign(String[] f) throws Exception {
        Document document = parse(f[1]);
        register(document);
        byte[] der = pem(f[3]);
        PrivateKey key = KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(der));
        Reference body = reference(f[7], f[8]);
        Reference timestamp = reference(f[9], f[10]);
        List<Reference> references = f[11].equals("b") ? List.of(body, timestamp) : List.of(timestamp, body);
        SignedInfo info = FACTORY.newSignedInfo(
            FACTORY.newCanonicalizationMethod(EXCLUSIVE, (C14NMethodParameterSpec) null),
            FACTORY.newSignatureMethod("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", null), references);
        KeyInfoFactory keys = FACTORY.getKeyInfoFactory();
        KeyInfo keyInfo = keys.newKeyInfo(List.of(keys.newX509Data(List.of(certificate(f[4])))));
        DOMSignContext context = new DOMSignContext(key, document.getElementById(f[5]));
        if (!f[6].equals("-")) context.setDefaultNamespacePrefix(f[6]);
        FACTORY.newXMLSignature(info, keyInfo).sign(context);
        try (OutputStream out = Files.newOutputStream(Path.of(f[2]))) {
            TransformerFactory.newInstance().newTransformer().transform(new DOMSource(document), new StreamResult(out));
        }
    }

    private static Reference reference(String id, String transforms) throws Exception {
        List<Transform> steps = new ArrayList<>();
        if (transforms.equals("v")) steps.add(FACTORY.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null));
        steps.add(FACTORY.newTransform(EXCLUSIVE, (TransformParameterSpec) null));
        return FACTORY.newReference("#" + id, FACTORY.newDigestMethod(DigestMethod.SHA256, null), steps, null, null);
    }

    private static Document parse(String path) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        DocumentBuilder builder = factory.newDocumentBuilder();
        builder.setErrorHandler(null);
        return builder.parse(new File(path));
    }

    /** Registers ID attributes; one that is there twice means nothing. */
    private static void register(Document document) throws Exception {
        Set<String> seen = new HashSet<>();
        NodeList elements = document.getElementsByTagName("*");
        for (int i = 0; i < elements.getLength(); i++) {
            Element element = (Element) elements.item(i);
            if (element.hasAttribute("ID")) {
                if (!seen.add(element.getAttribute("ID"))) throw new Exception("an ID twice");
                element.setIdAttribute("ID", true);
            }
        }
    }

    private static X509Certificate certificate(String path) throws Exception {
        try (InputStream in = Files.newInputStream(Path.of(path))) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    private static byte[] pem(String path) throws IOException {
        return Base64.getMimeDecoder().decode(Files.readString(Path.of(path)).replaceAll("-----[^-]*-----", ""));
    }

    /** The key of the certificate in KeyInfo, when the anchor issued it and its kind fits the algorithm. */
    private static final class Chained extends KeySelector {
        private final X509Certificate anchor;

        Chained(String path) throws Exception {
            anchor = certificate(path);
        }

        @Override
        public KeySelectorResult select(KeyInfo info, Purpose purpose, AlgorithmMethod method, XMLCryptoContext context) throws KeySelectorException {
            try {
                for (Object part : info.getContent()) {
                    for (Object item : ((X509Data) part).getContent()) {
                        X509Certificate signer = (X509Certificate) item;
                        signer.verify(anchor.getPublicKey());
                        signer.checkValidity(AT);
                        if (!signer.getIssuerX500Principal().equals(anchor.getSubjectX500Principal())) throw new Exception("issuer");
                        String wanted = method.getAlgorithm().contains("ecdsa") ? "EC" : "RSA";
                        if (!signer.getPublicKey().getAlgorithm().equals(wanted)) throw new Exception("key and algorithm");
                        return signer::getPublicKey;
                    }
                }
            } catch (Exception e) {
                throw new KeySelectorException(e);
            }
            throw new KeySelectorException("no certificate");
        }
    }
}
